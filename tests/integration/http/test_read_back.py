"""What the API accepts it can show again: random values in every stored field, over a real PostgreSQL."""

import asyncio
import json
from collections.abc import Awaitable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, TypeVar

import httpx
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from serve_app.accounts import sessions
from serve_app.http.app import create_app
from serve_app.http.pages.visitors import COOKIE
from serve_app.keys import service as keys
from serve_app.services import build_services
from serve_app.settings import Settings
from tests.conftest import ROSTER
from tests.support.calls import JOBS
from tests.support.fakes import RecordedNotifications
from tests.support.world import new_customer, tone
from tests.unit.verticals.test_rubric import OWN

T = TypeVar("T")
MANY = settings(
    max_examples=120, deadline=None, phases=[Phase.explicit, Phase.generate], derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
JSON = {"Content-Type": "application/json"}
RECORDING = tone(0.5)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)
"""NUL and unpaired surrogates included."""
GOOD_TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=80)
ANY_INT = st.integers() | st.sampled_from([2**31 - 1, 2**31, 2**63, 10**4299, -(10**4299)])
GOOD_JSON = st.recursive(
    st.none() | st.booleans() | ANY_INT | st.floats(allow_nan=False, allow_infinity=False) | GOOD_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(GOOD_TEXT, inner, max_size=3),
    max_leaves=8,
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | ANY_INT | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
EDGES = st.sampled_from(["9999-12-31T23:59:59.999999", "9999-01-01", "9998-12-31T23:59:59", "0001-01-01"]).map(
    datetime.fromisoformat
)
LAST_DAYS = st.datetimes(datetime.fromisoformat("9999-12-30"))
FUTURE = st.datetimes(datetime.fromisoformat("2030-01-01"))
GOOD_TIME = st.builds(lambda at, zone: at.replace(tzinfo=zone).isoformat(), FUTURE | LAST_DAYS | EDGES, OFFSETS)
ANY_TIME = st.sampled_from(["infinity", "2100-01-01", "294276-12-31T00:00:00Z"]) | st.floats() | ANY_INT


class Api:
    """The app over a database of its own, and a customer with many credits."""

    def __init__(self, loop: asyncio.Runner, settings: Settings) -> None:
        self.loop = loop
        self.services = build_services(settings, RecordedNotifications(), ROSTER)
        self.customer = self.wait(new_customer(self.services.database, credits_=1_000_000))
        transport = httpx.ASGITransport(create_app(self.services), raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://test")

    def wait(self, work: Awaitable[T]) -> T:
        async def run() -> T:
            return await work

        return self.loop.run(run())

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A request of the customer. Fails on any 5xx."""
        headers = self.customer.headers | more.pop("headers", {})
        response = self.wait(self.client.request(method, path, headers=headers, **more))
        assert response.status_code < 500, response.text
        return response

    def cookie(self) -> dict[str, str]:
        """The header of a dashboard session."""

        async def begin() -> str:
            async with self.services.database.transaction() as session:
                key = await keys.verify(session, self.customer.secret)
                return (await sessions.begin(session, key.actor, "a test")).secret

        return {"Cookie": f"{COOKIE}={self.wait(begin())}"}

    def json(self, path: str) -> Any:
        """The body of a GET, with exact numbers."""
        response = self.call("GET", path)
        assert response.status_code == 200, response.text
        return json.loads(response.content, parse_float=Decimal, parse_int=Decimal)


@pytest.fixture
def api(settings: Settings) -> Iterator[Api]:
    settings.rate_limit = "10000000/minute"
    with asyncio.Runner() as loop:
        api = Api(loop, settings)
        yield api
        api.wait(api.client.aclose())
        api.wait(api.services.close())


KEY = {
    "expires_at": GOOD_TIME | ANY_TIME,
    "name": GOOD_TEXT | GOOD_TEXT | ANY_TEXT,
    "scope": st.sampled_from(["all", "all", "recruitscreen", "recruitscreen\0"]),
    "monthly_cap": st.integers(1, 1_000_000_000) | st.integers(1, 1000) | ANY_INT,
}


@MANY
@given(request=st.fixed_dictionaries({}, optional=KEY), overlap=ANY_INT)
def test_a_created_key_is_listed_as_it_was_asked_for(api: Api, request: dict[str, Any], overlap: int) -> None:
    """Name, scope, end and cap read back from list, dashboard and rotation; or the request is refused."""
    created = api.call("POST", "/v1/keys", content=json.dumps(request), headers=JSON)
    assert created.status_code in {201, 422}, created.text
    event(f"key {created.status_code}")
    keys = api.json("/v1/keys")
    if created.status_code == 422:
        return
    shown = next(key for key in keys if key["key_id"] == created.json()["key_id"])
    for name in request.keys() & {"name", "scope", "monthly_cap"}:
        assert shown[name] == request[name]
    if isinstance(request.get("expires_at"), str):
        assert datetime.fromisoformat(shown["expires_at"]) == datetime.fromisoformat(request["expires_at"])
    path = f"/v1/keys/{shown['key_id']}"
    api.call("POST", f"{path}/rotate", content=json.dumps({"overlap_s": overlap}), headers=JSON)
    api.json("/v1/keys")
    api.call("DELETE", path)
    api.json("/v1/keys")


def rubric(name: str, version: str | None) -> str:
    """A caller's rubric with one competency."""
    competency = {**OWN["competencies"][0], "name": name}
    return json.dumps({"version": version, "competencies": [competency]})


@MANY
@given(moment=GOOD_TIME)
def test_the_end_of_a_key_reads_back(api: Api, moment: str) -> None:
    """Times near the end of the calendar, in every time zone, read back, or are refused."""
    created = api.call("POST", "/v1/keys", json={"expires_at": moment})
    event(f"end {created.status_code}")
    keys = api.json("/v1/keys")
    if created.status_code == 201:
        assert datetime.fromisoformat(keys[0]["expires_at"]) == datetime.fromisoformat(moment)


FORM = {
    "label": GOOD_TEXT | ANY_TEXT,
    "job_description": GOOD_TEXT | ANY_TEXT,
    "num_speakers": st.integers(1, 20).map(str) | ANY_INT.map(str),
    "language": st.sampled_from(["en", "haw"]) | ANY_TEXT,
    "words": st.sampled_from(["true", "0", "yes"]) | ANY_TEXT,
    "duration_s": st.floats(0.1, 1e300).map(str) | st.floats().map(str),
    "metadata": st.dictionaries(GOOD_TEXT, GOOD_JSON, max_size=3).map(json.dumps)
    | st.dictionaries(ANY_TEXT, ANY_JSON, max_size=3).map(json.dumps),
    "rubric": st.builds(rubric, GOOD_TEXT, st.none() | st.text("aé٣_-", min_size=1, max_size=64))
    | st.builds(rubric, ANY_TEXT, ANY_TEXT),
}


@MANY
@given(
    fields=st.fixed_dictionaries({"role_title": GOOD_TEXT | ANY_TEXT}, optional=FORM),
    idempotency_key=st.none()
    | st.text(st.characters(min_codepoint=32, max_codepoint=255), min_size=1, max_size=255)
    | st.text(st.characters(max_codepoint=255), min_size=1, max_size=260),
)
def test_a_submitted_job_shows_what_was_sent(api: Api, fields: dict[str, str], idempotency_key: str | None) -> None:
    """Metadata and label read back, a repeat with the same key gets the same job; or it is refused."""
    parts: dict[str, Any] = {name: (None, value.encode("utf-8", "surrogatepass")) for name, value in fields.items()}
    parts["file"] = ("call.wav", RECORDING)
    headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key.encode("latin-1")}
    submitted = api.call("POST", JOBS, files=parts, headers=headers)
    assert submitted.status_code in {202, 422}, submitted.text
    event(f"submit {submitted.status_code}")
    listed = api.json("/v1/jobs?limit=100")["data"]
    if submitted.status_code == 422:
        return
    job_id = submitted.json()["job_id"]
    sent = json.loads(fields.get("metadata") or "{}", parse_float=Decimal, parse_int=Decimal)
    assert api.json(f"/v1/jobs/{job_id}")["metadata"] == sent
    shown = next(job for job in listed if job["job_id"] == job_id)
    assert (shown["metadata"], shown["label"]) == (sent, fields.get("label", "").strip() or None)
    if idempotency_key is not None:
        assert api.call("POST", JOBS, files=parts, headers=headers).json() == submitted.json()
    api.json("/v1/credits/ledger?limit=100")


@MANY
@given(depth=st.integers(1, 400))
def test_metadata_of_any_accepted_depth_reads_back(api: Api, depth: int) -> None:
    """Deeply nested JSON is refused, or it reads back."""
    metadata = '{"a":' * depth + "1" + "}" * depth
    parts = {"role_title": (None, b"x"), "metadata": (None, metadata.encode()), "file": ("call.wav", RECORDING)}
    submitted = api.call("POST", JOBS, files=parts)
    if submitted.status_code == 202:
        assert api.call("GET", f"/v1/jobs/{submitted.json()['job_id']}").json()["metadata"] == json.loads(metadata)
    api.json("/v1/jobs?limit=100")


@MANY
@given(
    form=st.fixed_dictionaries(
        {}, optional={"name": ANY_TEXT, "days": ANY_INT.map(str), "monthly_cap": ANY_INT.map(str)}
    )
)
def test_a_key_of_the_dashboards_form_is_listed(api: Api, form: dict[str, str]) -> None:
    """The page shows every key that its form created."""
    cookie = api.cookie()
    page = api.call("GET", "/dashboard/keys", headers=cookie).text
    token = page.partition('name="form_token" value="')[2].partition('"')[0]
    parts = {
        name: (None, value.encode("utf-8", "surrogatepass")) for name, value in (form | {"form_token": token}).items()
    }
    created = api.call("POST", "/dashboard/keys/create", files=parts, headers=cookie)
    assert created.status_code in {200, 422}, created.text
    assert api.call("GET", "/dashboard/keys", headers=cookie).status_code == 200
    api.json("/v1/keys")


TOO_FAR = ["infinity", "-infinity", "294276-12-31 00:00:00+00", "4713-01-01 00:00:00+00 BC", "10000-01-01 12:00:00+00"]


def test_lists_survive_a_row_that_python_cannot_hold(api: Api) -> None:
    """Times beyond Python's, from a hand or an earlier version, show as the nearest time; other rows are unharmed."""
    parts = {"role_title": (None, b"x"), "file": ("call.wav", RECORDING)}
    jobs = [api.call("POST", JOBS, files=parts).json()["job_id"] for _ in TOO_FAR]
    keys = [api.call("POST", "/v1/keys", json={}).json()["key_id"] for _ in TOO_FAR]
    for job_id, key_id, moment in zip(jobs, keys, TOO_FAR, strict=True):
        values = {"job": job_id, "key": key_id, "at": moment}
        columns = ("created_at", "expires_at", "finished_at", "started_at")
        api.wait(execute(api, [
            "UPDATE api_keys SET expires_at = CAST(:at AS timestamptz) WHERE id = :key",
            f"UPDATE jobs SET {', '.join(f'{name} = CAST(:at AS timestamptz)' for name in columns)} WHERE id = :job",
            "UPDATE credit_ledger SET created_at = CAST(:at AS timestamptz) WHERE job_id = :job",
        ], values))  # fmt: skip
    assert {job["job_id"] for job in api.json("/v1/jobs")["data"]} == set(jobs)
    assert set(keys) < {key["key_id"] for key in api.json("/v1/keys")}
    assert len(api.json("/v1/credits/ledger")["data"]) == len(jobs) + 1
    assert api.json(f"/v1/jobs/{jobs[0]}")["created_at"].startswith("9999-12-31")
    assert api.json(f"/v1/jobs/{jobs[1]}")["created_at"].startswith("0001-01-01")
    assert api.call("GET", "/dashboard/keys", headers=api.cookie()).status_code == 200


async def execute(api: Api, statements: list[str], values: dict[str, str]) -> None:
    async with api.services.database.transaction() as session:
        for statement in statements:
            await (await session.connection()).execute(text(statement), values)
