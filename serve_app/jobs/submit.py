"""Take an upload in: store it, probe it, then accept and charge. What is refused leaves nothing behind."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from serve_app.credits.ledger import credits_for
from serve_app.jobs import queries
from serve_app.jobs.dispatch import Dispatcher
from serve_app.jobs.queries import Accepted, Submission
from serve_app.pipeline import audio
from serve_app.storage.blobs import Blobs, StoredBlob
from serve_app.storage.database import Database
from serve_app.verticals.spec import VerticalSpec


@dataclass(frozen=True, slots=True)
class Draft:
    """A submit as its caller sent it, before the recording was looked at."""

    account_id: str
    key_id: str | None
    spec: VerticalSpec
    inputs: dict[str, Any]
    labels: dict[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came in, and what its sender calls it."""

    source: BinaryIO
    filename: str


class Intake:
    """Where uploads become jobs."""

    def __init__(self, database: Database, blobs: Blobs, queue: Dispatcher) -> None:
        self._database = database
        self._blobs = blobs
        self._queue = queue

    async def take(self, draft: Draft, upload: Upload) -> Accepted:
        """Accept a recording, or raise `Invalid` or `InsufficientCredits` with nothing charged and nothing kept."""
        blob = await self._blobs.put(upload.source, upload.filename)
        try:
            accepted = await self._accept(draft, blob)
        except BaseException:
            await self._blobs.delete(blob.key)
            raise
        if accepted.replayed:
            await self._blobs.delete(blob.key)
        else:
            await self._queue.hint(accepted.job_id)
        return accepted

    async def measure(self, spec: VerticalSpec, upload: Upload) -> float:
        """Length of a recording in seconds, keeping nothing of it. Raises `Invalid`."""
        blob = await self._blobs.put(upload.source, upload.filename)
        try:
            return await asyncio.to_thread(self._duration_s, spec, blob)
        finally:
            await self._blobs.delete(blob.key)

    async def _accept(self, draft: Draft, blob: StoredBlob) -> Accepted:
        duration_s = await asyncio.to_thread(self._duration_s, draft.spec, blob)
        submission = Submission(
            account_id=draft.account_id,
            key_id=draft.key_id,
            vertical=draft.spec.slug,
            inputs=draft.inputs,
            labels=draft.labels,
            duration_s=duration_s,
            credits=credits_for(duration_s, draft.spec.price.credits_per_minute),
            blob=blob,
            idempotency_key=draft.idempotency_key,
        )
        async with self._database.transaction() as session:
            return await queries.accept(session, submission)

    def _duration_s(self, spec: VerticalSpec, blob: StoredBlob) -> float:
        with self._blobs.local(blob.key) as path:
            return audio.probe(path, spec.input.max_duration_s).duration_s
