"""Jobs whose recording is fetched from a `source_url`: accepted at once, charged when the recording has arrived.

Until then such a job is `queued` and has no blob, which keeps executors from claiming it, and no price. The address is
kept no longer than it is needed, and no event or answer shows it: a signed one opens the recording for anyone.
`jobs.submit` accepts such jobs, `serve_app.downloader` fetches their recordings.
"""

from dataclasses import dataclass
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.credits import ledger
from serve_app.jobs import lifecycle, queue_position
from serve_app.jobs.lifecycle import Claim, Note
from serve_app.jobs.models import Job, JobState, charge_reason, price_of
from serve_app.pipeline.types import Media
from serve_app.storage.blobs import StoredBlob
from serve_app.webhooks import notices

TOPIC = "downloads"
"""The bus topic of jobs whose recording is to be fetched."""
STAGE = "download"
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """A recording that has arrived, with its price."""

    blob: StoredBlob
    media: Media
    credits: int
    file_name: str | None


async def arrive(session: AsyncSession, claim: Claim, arrival: Arrival, credits_low: int) -> None:
    """Charge a job for its recording and let executors claim it.

    Raises `LeaseLost`, and `InsufficientCredits` when the balance does not cover the price.
    """
    blob = arrival.blob
    changes: dict[str, Any] = {
        "duration_s": arrival.media.duration_s, "credits": arrival.credits, "file_name": arrival.file_name,
        "blob": blob.key, "blob_sha256": blob.sha256, "blob_bytes": blob.size, "source_url": None, "attempt": 0,
    }  # fmt: skip
    job = Job(**claim.job.model_dump() | changes)
    remaining = await ledger.charge(session, price_of(job), charge_reason(job))
    note = Note(f"downloaded {blob.size / MB:.1f} MB; {job.credits} credits charged", {"credits_charged": job.credits})
    version = await lifecycle.transition(session, job.id, JobState.QUEUED, seen=claim.version, note=note, **changes)
    position = await queue_position.get_position(session, job)
    place = f"place {position['queue_position']} in the queue"
    await lifecycle.report(session, job.id, version, Note(place, position))
    await notices.tell_balance(session, job.account_id, remaining, credits_low)


def progress_note(received: int, total: int | None) -> Note:
    """How much of a recording has arrived."""
    of = f" of {total / MB:.1f}" if total else ""
    data = {"bytes": received, "bytes_total": total}
    return Note(f"downloading: {received / MB:.1f}{of} MB", {"stage": STAGE, "download": data})
