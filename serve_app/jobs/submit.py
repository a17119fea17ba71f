"""Turn an upload into a job: store it, probe it, then accept and charge it. A refused upload leaves nothing behind.

A recording with a `source_url` is accepted before it is there, and charged when it has arrived (`jobs.source`).
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts import audit
from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.audit import Action
from serve_app.credits import ledger
from serve_app.credits.ledger import Price, credits_for
from serve_app.errors import Invalid, InvalidField
from serve_app.jobs import queue_position, source
from serve_app.jobs.dispatch import Dispatcher
from serve_app.jobs.lifecycle import topic
from serve_app.jobs.models import (
    MAX_FILE_NAME,
    EventKind,
    IdempotencyKey,
    Job,
    JobEvent,
    charge_reason,
    price_of,
)
from serve_app.pipeline import audio
from serve_app.pipeline.types import Media
from serve_app.settings import Settings
from serve_app.storage.blobs import Blobs, StoredBlob
from serve_app.storage.database import Database, wake_after_commit
from serve_app.storage.download import check_source
from serve_app.verticals.spec import VerticalSpec
from serve_app.webhooks import job_endpoints, notices
from serve_app.webhooks.job_endpoints import JobWebhook
from serve_app.webhooks.models import Endpoint


@dataclass(frozen=True, slots=True)
class Submission:
    """A submit request without its file."""

    actor: Actor
    spec: VerticalSpec
    inputs: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    label: str | None = None
    idempotency_key: str | None = None
    webhook_url: str | None = None
    """Gets the job's events, beside the account's endpoints."""
    consent_text: str | None = None
    """What the actor has confirmed about the candidate's consent."""
    file_name: str | None = None
    """`Submitter.submit` sets it from the upload."""

    def fingerprint(self, recording: str) -> str:
        """SHA-256 over product, inputs, metadata, label and recording: equal for repeats of one request.

        `recording` is the digest of an upload, or an address.
        """
        parts = [self.spec.slug, self.inputs, self.metadata, recording, *filter(None, [self.webhook_url])]
        parts += [["label", self.label]] if self.label else []  # earlier versions had none
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """The file of a submit request. `filename` is the name that the client sent."""

    source: BinaryIO
    filename: str

    @property
    def name(self) -> str | None:
        """`filename` without folders and unprintable characters, and not too long to store. None if nothing is left."""
        base = re.split(r"[/\\]", self.filename)[-1]
        return "".join(filter(str.isprintable, base)).strip()[-MAX_FILE_NAME:] or None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a submit. `replayed`: it repeats the answer to an earlier request with the same idempotency key."""

    job_id: str
    credits_charged: int
    credits_remaining: int
    replayed: bool = False
    webhook: JobWebhook | None = None


class Submitter:
    """Stores, probes and accepts uploads."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        dispatcher: Dispatcher,
        settings: Settings,
        languages: Collection[str] = (),
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._dispatcher = dispatcher
        self._settings = settings
        self._languages = languages

    async def submit(self, submission: Submission, upload: UploadedFile) -> Accepted:
        """Accept a recording.

        Raises `Invalid`, `InsufficientCredits` or `NotPermitted`, and then neither charges nor keeps it.
        """
        submission.actor.must_be(Role.RECRUITER)
        self._check_language(submission.inputs.get("language"))
        blob = await self._blobs.put(upload.source, upload.filename)
        try:
            accepted = await self._accept(replace(submission, file_name=upload.name), blob)
        except BaseException:
            await self._blobs.delete(blob.key)
            raise
        if accepted.replayed:
            await self._blobs.delete(blob.key)
        else:
            await self._dispatcher.notify()
        return accepted

    async def submit_source(self, submission: Submission, source_url: str, estimate_s: float | None) -> Accepted:
        """Accept a recording that is fetched later. Charges nothing yet.

        `estimate_s`, the caller's estimate of its length, is only used to refuse what the balance does not cover.
        Raises as `submit`.
        """
        submission.actor.must_be(Role.RECRUITER)
        self._check_language(submission.inputs.get("language"))
        check_source(source_url, allow_loopback=self._settings.source_allow_loopback)
        at_least = credits_for(estimate_s or 0.0, submission.spec.price.credits_per_minute)
        async with self._database.transaction() as session:
            accepted = await accept_source(session, submission, source_url, at_least)
            return replace(accepted, webhook=await self._webhook(session, submission, accepted))

    async def probe(self, spec: VerticalSpec, upload: UploadedFile) -> Media:
        """Measure a recording and keep nothing of it. Raises `Invalid`."""
        blob = await self._blobs.put(upload.source, upload.filename)
        try:
            return await self.measure(spec, blob)
        finally:
            await self._blobs.delete(blob.key)

    async def measure(self, spec: VerticalSpec, blob: StoredBlob) -> Media:
        """Measure a stored recording. Raises `Invalid`."""
        return await asyncio.to_thread(self._probe, spec, blob)

    def _check_language(self, language: str | None) -> None:
        """Raise `InvalidField` for a language that the speech model does not know. Its languages may be unknown."""
        if language and self._languages and language not in self._languages:
            known = ", ".join(self._languages)
            raise InvalidField(f"'language': '{language}' is not transcribed here. Send one of: {known}.", "language")

    async def _accept(self, submission: Submission, blob: StoredBlob) -> Accepted:
        media = await self.measure(submission.spec, blob)
        credits_ = credits_for(media.sound_s, submission.spec.price.credits_per_minute)
        async with self._database.transaction() as session:
            accepted = await accept(session, submission, blob, media.duration_s, credits_)
            if not accepted.replayed:
                threshold = self._settings.credits_low
                await notices.tell_balance(session, submission.actor.account_id, accepted.credits_remaining, threshold)
            return replace(accepted, webhook=await self._webhook(session, submission, accepted))

    async def _webhook(self, session: AsyncSession, submission: Submission, accepted: Accepted) -> JobWebhook | None:
        """Make the endpoint of the job's `webhook_url`, or find the one that an earlier request has made."""
        if submission.webhook_url is None:
            return None
        secret_key = self._settings.secret_key.get_secret_value()
        if accepted.replayed:
            return await job_endpoints.find(session, accepted.job_id, secret_key)
        endpoint = Endpoint(account_id=submission.actor.account_id, job_id=accepted.job_id, url=submission.webhook_url)
        return await job_endpoints.create(session, endpoint, secret_key)

    def _probe(self, spec: VerticalSpec, blob: StoredBlob) -> Media:
        with self._blobs.local(blob.key) as path:
            return audio.probe(path, spec.input.max_duration_s)


async def accept(
    session: AsyncSession, submission: Submission, blob: StoredBlob, duration_s: float, credits_: int
) -> Accepted:
    """Charge and queue a job, or repeat the answer given under the same idempotency key.

    Idempotency key, charge, job row and first event are written in the caller's transaction, all or none.
    Raises `InsufficientCredits`, or `Invalid` when the key was used for another request.
    """
    stored = {"blob": blob.key, "blob_sha256": blob.sha256, "blob_bytes": blob.size}
    job = new_job(submission, duration_s=duration_s, credits=credits_, **stored)
    key = submission.idempotency_key
    if earlier := await reserve_key(session, job, key, submission.fingerprint(blob.sha256)):
        return earlier
    accepted = await charge_and_queue(session, job, key)
    await audit.record(session, submission.actor, Action.INTERVIEW_SUBMITTED, job.id)
    return accepted


async def accept_source(session: AsyncSession, submission: Submission, source_url: str, at_least: int) -> Accepted:
    """Queue a job for the download of its recording, or repeat the answer given under the same idempotency key.

    Charges nothing. `at_least` is the lowest price that the job can have: raises `InsufficientCredits` when the balance
    does not cover it, and `Invalid` when the key was used for another request.
    """
    job = new_job(submission, source_url=source_url, duration_s=0.0, credits=0, blob_sha256="", blob_bytes=0)
    key = submission.idempotency_key
    if earlier := await reserve_key(session, job, key, submission.fingerprint(source_url)):
        return earlier
    await ledger.check(session, Price(job.account_id, job.id, at_least, job.key_id))
    session.add(job)
    await session.flush()
    queued = JobEvent(job_id=job.id, seq=1, kind=EventKind.STATUS, status=job.state, data={"stage": source.STAGE})
    queued.detail = "waiting for the download"
    session.add(queued)
    await audit.record(session, submission.actor, Action.INTERVIEW_SUBMITTED, job.id)
    accepted = Accepted(job.id, 0, await ledger.balance(session, job.account_id))
    await keep_answer(session, job, key, accepted)
    wake_after_commit(session, source.TOPIC)
    return accepted


def new_job(submission: Submission, **recording: Any) -> Job:
    """The row of a new job. `recording` are the columns that describe its input."""
    return Job(
        account_id=submission.actor.account_id,
        key_id=submission.actor.key_id,
        vertical=submission.spec.slug,
        inputs=submission.inputs,
        labels=submission.metadata,
        label=submission.label,
        file_name=submission.file_name,
        consent_text=submission.consent_text,
        language=submission.inputs.get("language"),
        **recording,
    )


async def charge_and_queue(session: AsyncSession, job: Job, idempotency_key: str | None) -> Accepted:
    """Charge a new job, write it with its first event, and keep the answer for repeats of the request."""
    remaining = await ledger.charge(session, price_of(job), charge_reason(job))
    session.add(job)
    await session.flush()
    position = await queue_position.get_position(session, job)
    job.expected_at = datetime.now(UTC) + timedelta(seconds=position["expected_s"])
    session.add(JobEvent(job_id=job.id, seq=1, kind=EventKind.STATUS, status=job.state, data=position))
    accepted = Accepted(job.id, job.credits, remaining)
    await keep_answer(session, job, idempotency_key, accepted)
    wake_after_commit(session, topic(job.id))
    return accepted


async def keep_answer(session: AsyncSession, job: Job, key: str | None, accepted: Accepted) -> None:
    """Keep the answer for repeats of the request. Does nothing without an idempotency key."""
    if key is None:
        return
    row = await session.get_one(IdempotencyKey, (job.account_id, key))
    row.response = {
        "job_id": accepted.job_id,
        "credits_charged": accepted.credits_charged,
        "credits_remaining": accepted.credits_remaining,
    }
    session.add(row)


async def reserve_key(session: AsyncSession, job: Job, key: str | None, fingerprint: str) -> Accepted | None:
    """Reserve the idempotency key for a new job, or return the answer given under it. Does nothing without a key.

    The insert waits until a concurrent holder of the same key commits, so duplicates in flight become one job.
    Raises `Invalid` when the key was used for a request with another fingerprint.
    """
    if key is None:
        return None
    reserve = insert(IdempotencyKey).values(account_id=job.account_id, key=key, fingerprint=fingerprint, job_id=job.id)
    reserved = await session.exec(reserve.on_conflict_do_nothing().returning(col(IdempotencyKey.key)))
    if reserved.first() is not None:
        return None
    earlier = await session.get_one(IdempotencyKey, (job.account_id, key))
    if earlier.fingerprint != fingerprint:
        raise Invalid("This Idempotency-Key was used for a different request. Use a new key.")
    return Accepted(**(earlier.response or {}), replayed=True)
