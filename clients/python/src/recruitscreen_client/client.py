# Written from aio/client.py by `python -m scripts.checks.sync_client`. Edit that file.
"""The API as Python methods. Returns jobs, quotes and results as dicts, as the API sends them. Events are typed."""

import math
import os
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Self, Unpack

import httpx

from recruitscreen_client.errors import JobFailed, RecruitScreenError
from recruitscreen_client.events import Event, Frame, StatusEvent, parse
from recruitscreen_client.fields import (
    DEFAULT_BASE_URL,
    MAX_WAIT_S,
    TERMINAL,
    file_part,
    form,
    given,
    job_path,
    segment,
    text,
    usage_query,
)
from recruitscreen_client.options import (
    AgreementFilters,
    Job,
    ListFilters,
    Rating,
    ReassessOptions,
    Recommendation,
    ScorecardFormat,
    Section,
    SubmitOptions,
    TranscriptFormat,
    UsageColumn,
)
from recruitscreen_client.transport import TIMEOUT, Backoff, Transport, read_frames
from recruitscreen_client.webhook_endpoints import WebhookEndpoints

RECONNECT_S = 1.0
"""Pause before the next request when the server ended a stream or a long poll early."""
REMEMBERED_EVENTS = 1000
"""Ids of events by which repeats after a reconnection are recognised."""


class RecruitScreen:
    """A client of one deployment. Use it as a context manager, or call `close`.

    `api_key` and `base_url` default to the environment variables RECRUITSCREEN_API_KEY and RECRUITSCREEN_BASE_URL. All
    methods raise `ApiError` when the API refuses a request, and `ConnectionFailed` when all attempts of `backoff` have
    failed. Do not share a client between threads while an event stream is open.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        vertical: str = "recruitscreen",
        *,
        backoff: Backoff | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        key = (api_key or os.environ.get("RECRUITSCREEN_API_KEY") or "").strip()
        if not key.isascii():
            raise ValueError("The API key contains invalid characters. Copy it again.")
        url = base_url or os.environ.get("RECRUITSCREEN_BASE_URL") or DEFAULT_BASE_URL
        self.base_url = url.strip().rstrip("/")
        self.vertical = vertical
        self._transport = Transport(self.base_url, key or None, backoff or Backoff(), transport)
        self.webhooks = WebhookEndpoints(self._transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    # One job ----------------------------------------------------------------------------------------------------

    def submit(
        self,
        path: str | os.PathLike[str],
        role_title: str,
        *,
        idempotency_key: str | None = None,
        **options: Unpack[SubmitOptions],
    ) -> dict[str, Any]:
        """Upload a recording. Returns `job_id`, `status`, `credits_charged`, `credits_remaining` and two URLs.

        The request has an idempotency key: a repeat after a lost response is neither charged nor run twice. Pass your
        own key to get the same across processes.
        """
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        fields = form({"role_title": role_title, **options})
        with Path(path).open("rb") as file:
            return self._transport.json(
                "POST",
                f"/v1/{segment(self.vertical)}/jobs",
                data=fields,
                files={"file": file_part(file)},
                headers=headers,
            )

    def submit_url(
        self,
        source_url: str,
        role_title: str,
        *,
        idempotency_key: str | None = None,
        **options: Unpack[SubmitOptions],
    ) -> dict[str, Any]:
        """Submit a recording by its public https address, which the service fetches. Returns the fields of `submit`.

        `credits_charged` is 0: the price is charged when the recording has arrived, and an event says so.
        """
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        fields = form({"role_title": role_title, "source_url": source_url, **options})
        return self._transport.json("POST", f"/v1/{segment(self.vertical)}/jobs", data=fields, headers=headers)

    def job(self, job_id: str, wait: int | None = None) -> Job:
        """Get the job. With `wait` (at most 60 s), wait that long for the job to be over."""
        wait = min(wait or 0, MAX_WAIT_S)
        more = {"params": {"wait": wait}, "timeout": httpx.Timeout(wait + 15, connect=TIMEOUT.connect)} if wait else {}
        return self._transport.json("GET", job_path(job_id), **more)

    def events(self, job_id: str, after: int = 0) -> Iterator[Event]:
        """Yield the job's events after number `after`: past ones, then new ones until the job is over.

        Reconnects after the last received event. Yields no event twice.
        """
        last: Event | None = None
        over = False
        delays = self._transport.backoff.delays()
        while True:
            previous = last
            try:
                for event in self._stream(job_id, last.seq if last else after):
                    last = event
                    yield event
            except RecruitScreenError as failure:
                if last is not previous:  # the connection worked in between
                    delays = self._transport.backoff.delays()
                self._transport.pause(delays, failure)
                continue
            ended = isinstance(last, StatusEvent) and last.terminal
            if ended or (over and last is previous):
                return
            # The server ended the stream before the job was over, or the job is over and has no event after `after`.
            over = self.job(job_id)["status"] in TERMINAL
            if not over:
                self._transport.backoff.sleep(RECONNECT_S)

    def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """Wait until the job is `completed`, `failed` or `canceled`. Raises `TimeoutError` after `timeout_s`."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left = MAX_WAIT_S if end is None else end - time.monotonic()
            began = time.monotonic()
            job = self.job(job_id, wait=max(0, math.ceil(left)))
            if job["status"] in TERMINAL:
                return job
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"{job_id} is still {job['status']} after {timeout_s:g} s.")
            if time.monotonic() - began < RECONNECT_S:
                self._transport.backoff.sleep(RECONNECT_S)

    def run(
        self,
        path: str | os.PathLike[str],
        role_title: str,
        *,
        idempotency_key: str | None = None,
        **options: Unpack[SubmitOptions],
    ) -> Job:
        """Submit and wait. Returns the completed job. Raises `JobFailed` when it fails or is canceled."""
        submitted = self.submit(path, role_title, idempotency_key=idempotency_key, **options)
        job = self.wait(submitted["job_id"])
        if job["status"] != "completed":
            raise JobFailed.of(job)
        return job

    def cancel(self, job_id: str) -> Job:
        """Cancel a job that is not over. Its credits come back unless a model had begun to work on the recording."""
        return self._transport.json("POST", f"{job_path(job_id)}/cancel")

    def retry(self, job_id: str) -> dict[str, Any]:
        """Run a failed job again without a charge. Returns the same fields as `submit`."""
        return self._transport.json("POST", f"{job_path(job_id)}/retry", repeatable=False)

    def delete(self, job_id: str) -> dict[str, Any]:
        """Erase the content of a job that is over."""
        return self._transport.json("DELETE", job_path(job_id))

    def transcript(self, job_id: str, format: TranscriptFormat = "txt") -> str:  # noqa: A002 - the API's word
        """Get the transcript as text in this format."""
        return self._transport.send("GET", f"{job_path(job_id)}/transcript", params={"format": format}).text

    def export(
        self,
        job_id: str,
        format: ScorecardFormat = "pdf",  # noqa: A002 - the API's word
        *,
        sections: Sequence[Section] | None = None,
        hide_name: bool = False,
    ) -> bytes:
        """Get the scorecard of a completed job as a file: pdf, docx, md, csv, json, or the JSON for an ATS.

        `sections` are all but the transcript by default, and are not for csv and ashby. `hide_name` leaves the job's
        label out and replaces its words in the texts.
        """
        params: dict[str, Any] = {"format": format} | ({"sections": sections} if sections else {})
        if hide_name:
            params["hide_name"] = "true"
        return self._transport.send("GET", f"{job_path(job_id)}/scorecard", params=params).content

    # Its result -------------------------------------------------------------------------------------------------

    def reassess(
        self, job_id: str, *, idempotency_key: str | None = None, **changes: Unpack[ReassessOptions]
    ) -> dict[str, Any]:
        """Assess a completed job's transcript again, as a job of its own. Returns the same fields as `submit`.

        What is left out of `changes` stays as it is; None takes an optional input away. To build on a correction, pass
        the id of the job that made it. The request has an idempotency key, as that of `submit`.
        """
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return self._transport.json("POST", f"{job_path(job_id)}/assessments", json=changes, headers=headers)

    def assessments(self, job_id: str) -> list[dict[str, Any]]:
        """Get all assessments of the job's recording with their scores, the first one first."""
        versions: list[dict[str, Any]] = self._transport.json("GET", f"{job_path(job_id)}/assessments")["data"]
        return versions

    def review(
        self,
        job_id: str,
        *,
        reviewer: str | None = None,
        scores: Mapping[str, Rating] | None = None,
        recommendation: Recommendation | None = None,
        note: str | None = None,
    ) -> dict[str, Any]:
        """Add a person's ratings and reasons to a result, or replace the reviewer's earlier ones."""
        sent = given({"reviewer": reviewer, "scores": scores or {}, "recommendation": recommendation, "note": note})
        return self._transport.json("POST", f"{job_path(job_id)}/review", json=sent)

    def agreement(self, **filters: Unpack[AgreementFilters]) -> dict[str, Any]:
        """Get how far people and the model agree: `reviews`, `recommendation`, and `competencies` by slug."""
        return self._transport.json("GET", "/v1/reviews/agreement", params=given({**filters}))

    # The account and the pool -----------------------------------------------------------------------------------

    def list(
        self,
        status: str | None = None,
        vertical: str | None = None,
        limit: int | None = None,
        *,
        metadata: Mapping[str, object] | None = None,
        **filters: Unpack[ListFilters],
    ) -> Iterator[Job]:
        """Yield at most `limit` jobs, newest first, without results. Fetches pages as needed.

        `metadata` selects jobs whose metadata has all of these members.
        """
        members = {f"metadata[{name}]": text(value) for name, value in (metadata or {}).items()}
        return self._transport.pages("/v1/jobs", limit, {"status": status, "vertical": vertical, **filters, **members})

    def quote(self, path: str | os.PathLike[str] | None = None, *, duration_s: float | None = None) -> dict[str, Any]:
        """Get the price of a recording or a length: `credits`, `duration_s`, `expected_s`, `cold`. Charges nothing."""
        url = f"/v1/{segment(self.vertical)}/quote"
        if path is None:
            return self._transport.json("POST", url, data=form({"duration_s": duration_s}))
        with Path(path).open("rb") as file:
            return self._transport.json("POST", url, files={"file": file_part(file)})

    def credits(self) -> dict[str, Any]:
        """Get `balance`, `held` and `refundable`: credits to spend, of jobs not over, of failed jobs to retry."""
        return self._transport.json("GET", "/v1/credits")

    def ledger(self, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield at most `limit` changes of the balance, newest first."""
        return self._transport.pages("/v1/credits/ledger", limit, {})

    def usage(
        self, since: date | None = None, until: date | None = None, by: Sequence[UsageColumn] | None = None
    ) -> dict[str, Any]:
        """Get `from`, `to`, `total` and `data`: jobs, audio and credits of at most 366 days (UTC), both ends included.

        The rows of `data` are grouped by all of `by`, or by all four columns. The last 30 days by default.
        """
        return self._transport.json("GET", "/v1/usage", params=usage_query(since, until, by))

    def usage_csv(
        self, since: date | None = None, until: date | None = None, by: Sequence[UsageColumn] | None = None
    ) -> str:
        """Get the rows of `usage` as CSV."""
        params = usage_query(since, until, by) | {"format": "csv"}
        return self._transport.send("GET", "/v1/usage", params=params).text

    def prices(self) -> dict[str, Any]:
        """Get `products` with their prices and limits. Needs no key."""
        return self._transport.json("GET", "/v1/prices")

    def rubrics(self) -> dict[str, Any]:
        """Get `data`: the account's saved rubrics, each in its newest version. `submit` takes a `rubric_id`."""
        return self._transport.json("GET", "/v1/rubrics")

    def webhook_events(self, after: str | None = None) -> Iterator[Frame]:
        """Yield the account's events as webhooks get them, from now on or after event `after`. Never ends by itself.

        `name` is the type, `id` the `webhook-id`, `data` the message as JSON. Reconnects, and yields no event twice.
        """
        last, seen = after, deque([after or ""], maxlen=REMEMBERED_EVENTS)
        delays = self._transport.backoff.delays()
        while True:
            try:
                headers = {"Last-Event-ID": last} if last else {}
                with self._transport.stream("/v1/events", headers) as chunks:
                    for frame in read_frames(chunks):
                        delays = self._transport.backoff.delays()  # the connection works
                        if frame.id not in seen:
                            last = frame.id
                            seen.append(frame.id)
                            yield frame
            except RecruitScreenError as failure:
                self._transport.pause(delays, failure)
            else:
                self._transport.backoff.sleep(RECONNECT_S)

    def models(self) -> dict[str, Any]:
        """Get the state of the model pool. Needs no key."""
        return self._transport.json("GET", "/v1/models/status")

    # ------------------------------------------------------------------------------------------------------------

    def _stream(self, job_id: str, after: int) -> Iterator[Event]:
        """The events of one connection."""
        headers = {"Last-Event-ID": str(after)} if after else {}
        with self._transport.stream(f"{job_path(job_id)}/events", headers) as chunks:
            for frame in read_frames(chunks):
                event = parse(frame)
                if event is not None and event.seq > after:
                    yield event
