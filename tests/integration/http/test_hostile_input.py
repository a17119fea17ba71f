"""Hostile input: every answer is a documented error, never a 5xx, and nothing is charged."""

import base64
import json
from typing import Any

import httpx

from serve_app.http.tokens import JobTokens
from serve_app.services import Services
from tests.support.calls import JOBS, error, submit
from tests.support.world import Customer, tone

DEEP = '{"a":' * 3000 + "1" + "}" * 3000


ROUTES = (("GET", ""), ("GET", "/transcript"), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/events"))


MISSING = "job_00000000000000000000"


FIELDS = [
    ("role_title", "Engineer\0"),
    ("role_title", "\0"),
    ("role_title", "x" * 70_000),
    ("job_description", "a\0b"),
    ("duration_s", "nan"),
    ("duration_s", "inf"),
    ("duration_s", "-inf"),
    ("duration_s", "1e999"),
    ("num_speakers", "99999999999999999999999"),
    ("num_speakers", "2.5"),
    ("candidate", "third"),
    ("candidate", "SPEAKER_01"),
    ("language", "en'; DROP TABLE jobs; --"),
    ("language", "../../etc"),
    ("metadata", '{"a": NaN}'),
    ("metadata", '{"a": Infinity}'),
    ("metadata", '{"a": 1e999}'),
    ("metadata", '{"a": "\\u0000"}'),
    ("metadata", '{"\\u0000": 1}'),
    ("metadata", '{"a": ["\\ud800"]}'),
    ("metadata", '{"a": ' + "9" * 5000 + "}"),
    ("metadata", DEEP),
    ("metadata", "{"),
    ("metadata", "null"),
    ("webhook_url", "https://169.254.169.254/latest/meta-data/"),
    ("webhook_url", "https://0x7f.1/"),
    ("num_speaker", "2"),
    ("__proto__", "x"),
    ("role_title[]", "x"),
]


async def test_a_hostile_field_is_refused_and_charges_nothing(client: httpx.AsyncClient, customer: Customer) -> None:
    """A hostile field gets 422 and names the field when the form can be parsed."""
    for field, value in FIELDS:
        response = await submit(client, customer, **{field: value})
        assert response.status_code == 422, response.text
        if error(response) != "invalid_request":  # the parser stops at a part over 64 kB
            assert response.json()["detail"]["field"] == field
        assert (await client.get("/v1/credits", headers=customer.headers)).json()["balance"] == 100


async def test_an_unknown_field_is_refused_with_the_known_ones(client: httpx.AsyncClient, customer: Customer) -> None:
    """A misspelt field gets 422 with the names of all fields."""
    detail = (await submit(client, customer, num_speaker="2")).json()["detail"]
    assert detail["field"] == "num_speaker"
    assert "num_speakers" in detail["message"]


def part(name: bytes, value: bytes, more: bytes = b"") -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="' + name + b'"' + more + b"\r\n\r\n" + value + b"\r\n"


FILE = part(b"file", tone(1), b'; filename="a.wav"')


ROLE = part(b"role_title", b"x")


END = b"--b--\r\n"


FORMS = [
    (ROLE + ROLE + FILE + END, 422),  # a field twice
    (ROLE + FILE + FILE + END, 422),  # the file twice
    (ROLE * 30 + FILE + END, 422),  # too many fields
    (part(b"role_title", b"\xff\xfe\x00") + FILE + END, 422),
    (part(b"\xff\xfe", b"x") + ROLE + FILE + END, 422),
    (part(b"", b"x") + ROLE + FILE + END, 422),
    (
        ROLE + part(b"file", tone(1), b'; filename="../../../etc/passwd\x00.wav"') + END,
        202,
    ),  # a filename is only a label
    (ROLE + part(b"file", tone(1), b'; filename="\xff\xff"') + END, 202),
    (ROLE + part(b"other", b"1", b'; filename="a.wav"') + END, 422),
    (b"--b\r\n" + b"X-Long: " + b"x" * 100_000 + b"\r\n\r\n" + END, 422),
    (b"--b\r\n" * 1000, 422),
    (ROLE + FILE, 422),  # never ended
]


async def test_a_hostile_form_is_answered(client: httpx.AsyncClient, customer: Customer) -> None:
    """Each form gets the expected status."""
    for form, status in FORMS:
        headers = customer.headers | {"Content-Type": "multipart/form-data; boundary=b"}
        response = await client.post(JOBS, content=form, headers=headers)
        assert response.status_code == status, response.text


CONTENT_TYPES = [
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=\xff",
    "multipart/form-data; charset=x; boundary=b",
    "multipart/form-data; boundary=" + "b" * 9000,
    "multipart/form-data;;;;=",
    'multipart/form-data; boundary="b',
]


async def test_a_hostile_content_type_is_answered(client: httpx.AsyncClient, customer: Customer) -> None:
    """A hostile content type gets 422, or the form is parsed."""
    for content_type in CONTENT_TYPES:
        headers = customer.headers | {"Content-Type": content_type.encode("latin-1")}
        response = await client.post(JOBS, content=ROLE + FILE + END, headers=headers)
        assert response.status_code in {202, 422}, response.text


def cursor(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


CURSORS = [
    "",
    "%00",
    "=",
    "a" * 400,
    cursor("2020-01-01T00:00:00", "job_1"),
    cursor("2020-01-01T00:00:00Z", "a\0b"),
    cursor("9999-12-31T23:59:59-23:00", "job_1"),
    cursor("0001-01-01T00:00:00+23:00", "job_1"),
    cursor("2020-01-01T00:00:00Z", "\ud800"),
    cursor("2020-01-01T00:00:00Z", 10**4000),
    cursor({}, []),
    base64.urlsafe_b64encode(b"[" * 300).decode(),
]


async def test_a_hostile_cursor_is_answered(client: httpx.AsyncClient, customer: Customer) -> None:
    """A hostile cursor gets 422 naming it, or an empty page when it is well-formed."""
    for path in ["/v1/jobs", "/v1/credits/ledger"]:
        for value in CURSORS:
            response = await client.get(path, params={"cursor": value}, headers=customer.headers)
            assert response.status_code in {200, 422}, response.text
            if response.status_code == 422:
                assert response.json()["detail"]["field"] == "cursor"


JOB_IDS = ["%00", "job_%00", "x" * 3000, "%ff%fe", "..%2f..%2fetc", "job_' OR 1=1", "💣"]


async def test_an_impossible_job_id_is_an_unknown_job(client: httpx.AsyncClient, customer: Customer) -> None:
    """An impossible id gets the 404 of an unknown job on every route."""
    for job_id in JOB_IDS:
        headers = customer.headers | {"X-Request-Id": "same"}
        expected = (await client.get(f"/v1/jobs/{MISSING}", headers=headers)).json()
        for method, suffix in (
            ("GET", ""),
            ("GET", "/transcript"),
            ("DELETE", ""),
            ("POST", "/cancel"),
            ("GET", "/events"),
        ):
            response = await client.request(method, f"/v1/jobs/{job_id}{suffix}", headers=headers)
            assert response.status_code == 404
            assert response.json() == expected or "%2f" in job_id  # decodes to another path


async def test_an_impossible_key_id_is_an_unknown_key(client: httpx.AsyncClient, customer: Customer) -> None:
    """An impossible id gets 404."""
    for key_id in ["%00", "key_%00", "%ff", "x" * 3000]:
        assert (await client.delete(f"/v1/keys/{key_id}", headers=customer.headers)).status_code == 404
        response = await client.post(f"/v1/keys/{key_id}/rotate", json={}, headers=customer.headers)
        assert (response.status_code, error(response)) == (404, "not_found")


KEY_REQUESTS = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"name": "a\\u0000"}',
    b'{"name": "\\ud800"}',
    b'{"name": "\xff"}',
    b'{"monthly_cap": 99999999999999999999}',
    b'{"monthly_cap": NaN}',
    b'{"expires_at": "9999-12-31T23:59:59-23:00"}',
    b'{"expires_at": 1e300}',
    b'{"scope": "a\\u0000"}',
    b'{"scope": "nothing"}',
    b'{"unknown": 1}',
    b"[" * 3000,
]


async def test_a_hostile_key_request_is_answered(client: httpx.AsyncClient, customer: Customer) -> None:
    """A hostile body gets 422, or creates a key."""
    for body in KEY_REQUESTS:
        headers = customer.headers | {"Content-Type": "application/json"}
        response = await client.post("/v1/keys", content=body, headers=headers)
        assert response.status_code in {201, 422}, response.text
        if response.status_code == 422:
            error(response)


KEYS = [
    "Bearer " + "x" * 8000,
    "Bearer lv_sk_all_" + "0" * 32,
    "Bearer \xff\xfe",
    "Bearer lv_sk_" + "a" * 500 + "_x",
    "bearer",
    "Bearer  ",
    "Bearer lv_sk_all_' OR 1=1 --",
    "Basic Og==",
]


async def test_a_body_that_is_not_json_is_reported_as_field_body(client: httpx.AsyncClient, customer: Customer) -> None:
    """The error names the field `body`, not the offset of the mistake."""
    headers = customer.headers | {"Content-Type": "application/json"}
    detail = (await client.post("/v1/keys", content=b'{"name": ', headers=headers)).json()["detail"]
    assert detail["field"] == "body"


async def test_a_hostile_key_is_refused(client: httpx.AsyncClient) -> None:
    """A hostile Authorization header gets 401."""
    for authorization in KEYS:
        headers = {"Authorization": authorization.encode("latin-1")}
        response = await client.get("/v1/credits", headers=headers)
        assert (response.status_code, error(response)) == (401, "invalid_api_key")


TOKENS = ["", "%00", ".", "..", "a.b.c", "x" * 500, "%ff", "💣", "Im5vdGhpbmci.aaaaaa.bbbb"]


async def test_a_hostile_stream_token_is_refused(client: httpx.AsyncClient) -> None:
    """A hostile token gets 401, whether the job exists or not."""
    for token in TOKENS:
        response = await client.get(f"/v1/jobs/{MISSING}/events?token={token}")
        assert (response.status_code, error(response)) == (401, "invalid_api_key")


async def test_a_token_of_a_missing_job_gets_404(client: httpx.AsyncClient, services: Services) -> None:
    """A valid token of a job that does not exist gets 404."""
    token = JobTokens(services.settings.secret_key.get_secret_value()).issue(MISSING)
    assert (await client.get(f"/v1/jobs/{MISSING}?token={token}")).status_code == 404


async def test_any_idempotency_key_up_to_255_characters_is_accepted(
    client: httpx.AsyncClient, customer: Customer
) -> None:
    """A longer key gets 422."""
    for key in ["k" * 256, "\xff" * 10, "a b\tc", "'; --"]:
        headers = {"Idempotency-Key": key.encode("latin-1")}
        response = await submit(client, customer, headers=headers)
        assert response.status_code == (422 if len(key) > 255 else 202)


HEADERS = ["X-Request-Id", "X-Forwarded-For", "Last-Event-ID", "Accept", "Origin", "Range"]


async def test_a_huge_or_odd_header_is_ignored(client: httpx.AsyncClient, customer: Customer) -> None:
    """The request succeeds."""
    for name in HEADERS:
        for value in (b"x" * 10_000, b"\xff\xfe", b"a,b,,;=", b"-1"):
            response = await client.get("/v1/credits", headers=customer.headers | {name: value})
            assert response.status_code == 200
