"""The Python client against a scripted server: requests, retries, responses and events."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recruitscreen_client import (
    ApiError,
    Backoff,
    ConnectionFailed,
    JobFailed,
    ProgressEvent,
    RecruitScreen,
    RecruitScreenError,
    StatusEvent,
)
from recruitscreen_client.events import Frame
from recruitscreen_client.transport import read_frames

JOB = "job_9f2c81d4a0b34e7f9d21"
SUBMITTED = {"job_id": JOB, "status": "queued", "credits_charged": 7, "credits_remaining": 93}
Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Server:
    """Answers requests in the order of its script and records them."""

    def __init__(self, *script: Answer, attempts: int = 5) -> None:
        self.script = list(script)
        self.requests: list[httpx.Request] = []
        self.bodies: list[bytes] = []
        self.slept: list[float] = []
        backoff = Backoff(attempts, sleep=self.slept.append)
        transport = httpx.MockTransport(self.answer)
        self.client = RecruitScreen("lv_sk_all_x", "http://api.test/", backoff=backoff, transport=transport)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.bodies.append(request.read())
        next_ = self.script.pop(0)
        if isinstance(next_, Exception):
            raise next_
        return next_(request) if callable(next_) else next_

    @property
    def asked(self) -> list[str]:
        """Method and path of all requests."""
        return [f"{request.method} {request.url.raw_path.decode()}" for request in self.requests]


def ok(body: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body)


def refusal(status: int, code: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    detail = {"error": code, "code": code, "message": f"It is {code}.", "retryable": status > 500, "request_id": "r1"}
    return httpx.Response(status, json={"detail": detail | more}, headers=headers)


def frame(seq: int, status: str, name: str = "status", **data: Any) -> bytes:
    terminal = name == "status" and status in ("completed", "failed", "canceled")
    body = {"status": status, "detail": None, "terminal": terminal, "seq": seq, "at": f"2026-01-01T00:00:{seq:02}Z"}
    return f"event: {name}\nid: {seq}\ndata: {json.dumps(body | data, ensure_ascii=False)}\n\n".encode()


def stream(*chunks: bytes, broken: bool = False) -> httpx.Response:
    def content() -> Iterator[bytes]:
        yield from chunks
        if broken:
            raise httpx.ReadError("connection reset")

    return httpx.Response(200, content=content(), headers={"Content-Type": "text/event-stream"})


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "call.mp3"
    path.write_bytes(b"sound" * 10_000)
    return path


# Submitting ---------------------------------------------------------------------------------------------------------


def test_a_submit_carries_key_form_and_idempotency_key(recording: Path) -> None:
    """One multipart request, without unset options, with metadata as JSON."""
    server = Server(ok(SUBMITTED, 202))
    answer = server.client.submit(recording, "Engineer", num_speakers=2, language=None, metadata={"ats": 7})
    (request,) = server.requests
    assert answer == SUBMITTED
    assert server.asked == ["POST /v1/recruitscreen/jobs"]
    assert request.headers["Authorization"] == "Bearer lv_sk_all_x"
    assert len(request.headers["Idempotency-Key"]) >= 32
    body = server.bodies[0]
    assert b'name="role_title"\r\n\r\nEngineer\r\n' in body
    assert b'name="num_speakers"\r\n\r\n2\r\n' in body
    assert b'name="metadata"\r\n\r\n{"ats": 7}\r\n' in body
    assert b'filename="call.mp3"\r\nContent-Type: audio/mpeg' in body
    assert b"language" not in body


PROXY_PAGE = httpx.Response(500, text="Internal Server Error")
LOST = [httpx.ConnectError(""), httpx.ReadError(""), *(refusal(status, "away") for status in (503, 507)), PROXY_PAGE]


@pytest.mark.parametrize("lost", LOST)
def test_a_submit_is_repeated_whole_under_the_same_key(recording: Path, lost: Answer) -> None:
    """After a lost connection, a 503, a 507 or a proxy's page, the same key and the whole file are sent again."""
    server = Server(lost, ok(SUBMITTED, 202))
    assert server.client.submit(recording, "Engineer")["job_id"] == JOB
    first, second = server.requests
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert all(b"sound" * 10_000 in body for body in server.bodies)


def test_two_submits_are_two_jobs(recording: Path) -> None:
    """Every call has its own idempotency key unless the caller passes one."""
    server = Server(*[ok(SUBMITTED, 202) for _ in range(3)])
    server.client.submit(recording, "Engineer")
    server.client.submit(recording, "Engineer")
    server.client.submit(recording, "Engineer", idempotency_key="mine")
    keys = [request.headers["Idempotency-Key"] for request in server.requests]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


def test_retry_after_is_honoured() -> None:
    """A longer Retry-After, in seconds or as a date, replaces the back-off."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    limits = [refusal(429, "rate_limited", {"Retry-After": value}) for value in ("7", date, "soon")]
    server = Server(*limits, ok({"balance": 1, "held": 0}))
    assert server.client.credits() == {"balance": 1, "held": 0}
    assert server.slept[0] == 7
    assert 28 <= server.slept[1] <= 30
    assert server.slept[2] <= 2


def test_an_hour_is_not_waited_for() -> None:
    """A Retry-After over the limit raises the error at once."""
    server = Server(refusal(429, "rate_limited", {"Retry-After": "3600"}))
    with pytest.raises(ApiError) as caught:
        server.client.credits()
    assert caught.value.retry_after_s == 3600
    assert server.slept == []


def test_a_refusal_tells_all_the_api_said(recording: Path) -> None:
    """The error holds the whole detail, and the request is not retried."""
    server = Server(refusal(402, "insufficient_credits", credits_needed=7, upgrade_url="https://x.test/pricing"))
    with pytest.raises(ApiError) as caught:
        server.client.submit(recording, "Engineer")
    error = caught.value
    assert (error.status, error.code, error.retryable, error.request_id) == (402, "insufficient_credits", False, "r1")
    assert str(error) == "It is insufficient_credits."
    assert (error.detail["credits_needed"], error.detail["upgrade_url"]) == (7, "https://x.test/pricing")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.Response(502, html="<h1>Bad gateway</h1>"), "502 Bad Gateway"),
        (httpx.Response(308, headers={"Location": "https://api.test/"}), "points to https://api.test/"),
        (httpx.Response(404, json={"detail": "Not Found"}), "Not Found"),
        (httpx.Response(200, html="<h1>Hello</h1>"), "Check the base URL"),
        (httpx.Response(200, json=[1]), "Check the base URL"),
    ],
)
def test_answers_that_are_not_ours_are_errors_too(answer: httpx.Response, message: str) -> None:
    """A proxy's page or another server gives an ApiError with code `http_error`."""
    with pytest.raises(ApiError, match=message) as caught:
        Server(answer, attempts=1).client.credits()
    assert caught.value.code == "http_error"


def test_an_unreachable_server_is_tried_as_often_as_told() -> None:
    """ConnectionFailed follows the configured attempts, with growing pauses."""
    server = Server(*[httpx.ConnectError("refused") for _ in range(3)], attempts=3)
    with pytest.raises(ConnectionFailed, match=r"http://api\.test: refused"):
        server.client.models()
    assert len(server.slept) == 2
    assert 0.25 <= server.slept[0] <= 0.5 <= server.slept[1] <= 1


def test_an_address_without_scheme_is_not_tried_again() -> None:
    """A retry cannot succeed."""
    slept: list[float] = []
    with RecruitScreen("k", "api.test", backoff=Backoff(sleep=slept.append)) as client, pytest.raises(ConnectionFailed):
        client.models()
    assert slept == []


def test_a_retry_is_only_repeated_when_it_surely_did_not_arrive() -> None:
    """A second retry of a job would be refused and hide the success of the first."""
    server = Server(httpx.ConnectError("refused"), ok(SUBMITTED | {"credits_charged": 0}, 202))
    assert server.client.retry(JOB)["credits_charged"] == 0
    for lost in (httpx.ReadError("reset"), PROXY_PAGE):
        with pytest.raises(RecruitScreenError):
            Server(lost).client.retry(JOB)


# Events -------------------------------------------------------------------------------------------------------------

LIFE = (frame(1, "queued"), frame(2, "loading_weights"), frame(3, "processing_inference"), frame(4, "completed"))


def statuses(server: Server, after: int = 0) -> list[str]:
    return [event.status for event in server.client.events(JOB, after)]


def test_events_are_typed() -> None:
    """Status and progress events are parsed; unknown kinds are skipped."""
    loading = {"roles": ["asr"], "bytes_loaded": 5, "bytes_total": 10, "expected_s": None}
    failure = {"code": "vram_unavailable", "message": "Full.", "retryable": True}
    server = Server(
        stream(
            frame(1, "queued"),
            frame(2, "loading_weights", loading=loading),
            b": ping\n\n",
            frame(3, "processing_inference", "progress", stage="diarization", percent=40, detail="a\u2028b"),
            frame(4, "processing_inference", "rumour"),
            frame(5, "failed", error=failure),
        )
    )
    queued, load, progress, failed = server.client.events(JOB)
    assert isinstance(queued, StatusEvent)
    assert queued.at == datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert load.loading is not None
    assert (load.loading.roles, load.loading.bytes_loaded, load.loading.bytes_total) == (("asr",), 5, 10)
    assert isinstance(progress, ProgressEvent)
    assert (progress.stage, progress.percent, progress.detail) == ("diarization", 40, "a\u2028b")
    assert isinstance(failed, StatusEvent)
    assert (failed.terminal, failed.error) == (True, failure)


@given(st.lists(st.integers(1, 200), max_size=20), st.sampled_from([b"\n", b"\r\n"]))
def test_frames_do_not_depend_on_how_the_bytes_arrive(cuts: list[int], end: bytes) -> None:
    """Chunks may split characters and line ends; an incomplete last frame is dropped."""
    whole = "id: 1\nevent: status\ndata: ü\ndata:€\n\n: ping\n\ndata: x\n\nevent: status\ndata: lost\n".encode()
    whole = whole.replace(b"\n", end)
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    chunks = [whole[a:b] for a, b in pairwise(places)]
    assert list(read_frames(chunks)) == [Frame("status", "ü\n€", "1"), Frame("message", "x", "1")]


def test_a_broken_stream_goes_on_where_it_left_off() -> None:
    """The client resumes with Last-Event-ID and yields no event twice."""
    server = Server(
        stream(LIFE[0], LIFE[1], LIFE[2][:20], broken=True),
        httpx.ConnectError("refused"),
        stream(*LIFE[1:]),  # a server that replays more than was asked for
    )
    assert statuses(server) == ["queued", "loading_weights", "processing_inference", "completed"]
    assert [request.headers.get("Last-Event-ID") for request in server.requests] == [None, "2", "2"]
    assert len(server.slept) == 2


def test_a_retried_job_is_followed_to_its_last_end() -> None:
    """An earlier failure does not end the stream."""
    server = Server(stream(frame(1, "queued"), frame(2, "failed"), frame(3, "queued"), frame(4, "completed")))
    assert statuses(server) == ["queued", "failed", "queued", "completed"]


def test_a_stream_that_ends_before_the_job_is_opened_again() -> None:
    """Servers and proxies limit the length of a stream."""
    server = Server(stream(LIFE[0]), ok({"status": "queued"}), stream(), ok({"status": "queued"}), stream(*LIFE[1:]))
    assert statuses(server)[-1] == "completed"


def test_a_job_that_ended_between_two_streams_still_tells_how() -> None:
    """The client fetches the last events of a job that is over."""
    server = Server(stream(LIFE[0]), ok({"status": "completed"}), stream(*LIFE[1:]))
    assert statuses(server)[-1] == "completed"


def test_nothing_new_about_a_job_that_is_over_is_no_event() -> None:
    """Following after the last event ends at once."""
    server = Server(stream(), ok({"status": "completed"}), stream())
    assert statuses(server, after=4) == []


def test_a_stream_that_only_breaks_is_given_up() -> None:
    """Progress resets the count of attempts; failures without progress use it up."""
    server = Server(stream(LIFE[0], broken=True), *[stream(broken=True) for _ in range(2)], attempts=3)
    with pytest.raises(ConnectionFailed, match="connection reset"):
        statuses(server)
    assert server.script == []


def test_following_an_unknown_job_is_refused_at_once() -> None:
    """A 404 of the stream is an ApiError."""
    with pytest.raises(ApiError, match="job_not_found"):
        statuses(Server(refusal(404, "job_not_found")))


# The rest -----------------------------------------------------------------------------------------------------------


def test_wait_polls_long_until_the_job_is_over() -> None:
    """Each poll has the maximum length; after an early response the client pauses."""
    server = Server(ok({"status": "queued"}), ok({"status": "completed"}))
    assert server.client.wait(JOB) == {"status": "completed"}
    assert server.asked == [f"GET /v1/jobs/{JOB}?wait=60"] * 2
    assert server.slept == [1.0]


def test_wait_ends_when_its_time_is_over() -> None:
    """The TimeoutError names the job's state."""
    with pytest.raises(TimeoutError, match="still queued"):
        Server(ok({"status": "queued"})).client.wait(JOB, timeout_s=0)


def test_run_gives_the_finished_job_or_says_why_there_is_none(recording: Path) -> None:
    """A failed or canceled job raises JobFailed, which holds the job."""
    done = {"status": "completed", "result": {}}
    assert Server(ok(SUBMITTED, 202), ok(done)).client.run(recording, "Engineer") == done
    failed = {"status": "failed", "error": {"code": "vram_unavailable", "message": "Full."}}
    with pytest.raises(JobFailed, match="Full") as caught:
        Server(ok(SUBMITTED, 202), ok(failed)).client.run(recording, "Engineer")
    assert (caught.value.code, caught.value.job) == ("vram_unavailable", failed)
    with pytest.raises(JobFailed, match="canceled"):
        Server(ok(SUBMITTED, 202), ok({"status": "canceled", "error": None})).client.run(recording, "Engineer")


def page(*numbers: int, then: str | None = None) -> httpx.Response:
    return ok({"data": [{"n": n} for n in numbers], "has_more": then is not None, "next_cursor": then})


def test_every_other_call_reaches_its_address(recording: Path) -> None:
    """Each call has its method and path, and an id cannot change the path."""
    server = Server(*[ok({}) for _ in range(6)], httpx.Response(200, text="1\n00:00"))
    client = server.client
    client.job("a/../b?c")
    client.cancel(JOB)
    client.delete(JOB)
    client.quote(duration_s=412)
    client.quote(recording)
    client.job(JOB, wait=600)
    assert client.transcript(JOB, "srt") == "1\n00:00"
    assert server.asked == [
        "GET /v1/jobs/a%2F..%2Fb%3Fc",
        f"POST /v1/jobs/{JOB}/cancel",
        f"DELETE /v1/jobs/{JOB}",
        "POST /v1/recruitscreen/quote",
        "POST /v1/recruitscreen/quote",
        f"GET /v1/jobs/{JOB}?wait=60",
        f"GET /v1/jobs/{JOB}/transcript?format=srt",
    ]
    assert server.bodies[3] == b"duration_s=412"
    assert b'name="file"; filename="call.mp3"' in server.bodies[4]


def test_key_and_address_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment variables are used without arguments, stripped of blanks."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return ok({})

    monkeypatch.setenv("RECRUITSCREEN_API_KEY", " lv_sk_all_env\n")
    monkeypatch.setenv("RECRUITSCREEN_BASE_URL", "https://env.test/")
    with RecruitScreen(transport=httpx.MockTransport(answer)) as client:
        client.credits()
    assert str(seen[0].url) == "https://env.test/v1/credits"
    assert seen[0].headers["Authorization"] == "Bearer lv_sk_all_env"


def test_a_key_that_cannot_be_one_is_refused_early() -> None:
    """For example, the placeholder of the documentation."""
    with pytest.raises(ValueError, match="Copy it again"):
        RecruitScreen("lv_sk_…")


def test_all_errors_have_one_base() -> None:
    """One `except` catches all."""
    assert all(issubclass(error, RecruitScreenError) for error in (ApiError, ConnectionFailed, JobFailed))
