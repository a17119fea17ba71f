"""Erase everything that is stored of one candidate."""

from collections.abc import Sequence

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts.actors import Actor, Role
from serve_app.jobs import settlement
from serve_app.jobs.lifecycle import TERMINAL
from serve_app.jobs.models import Job
from serve_app.storage.text import storable


async def find_candidate(session: AsyncSession, actor: Actor, name: str) -> Sequence[Job]:
    """The account's interviews with this label, or with this `candidate` in the metadata, newest first.

    Further assessments are listed, too; erased interviews are not. Raises `NotPermitted` for a viewer.
    """
    actor.must_be(Role.RECRUITER)
    if not name or not storable(name):  # an empty `candidate` in the metadata names nobody
        return []
    named = (col(Job.label) == name) | (col(Job.labels)["candidate"].astext == name)
    mine = (col(Job.account_id) == actor.account_id, col(Job.erased_at).is_(None))
    return (await session.exec(select(Job).where(*mine, named).order_by(col(Job.created_at).desc()))).all()


async def erase_candidate(session: AsyncSession, actor: Actor, name: str) -> tuple[int, list[str]]:
    """Erase all interviews that `find_candidate` finds. Cancels those that are not over.

    Returns how many, and the inputs to delete.
    """
    found = await find_candidate(session, actor, name)
    blobs: list[str | None] = []
    for job in found:
        if job.state not in TERMINAL:
            blobs.append(await settlement.cancel(session, actor, job, 0.0))
        blobs.append(await settlement.erase(session, actor, job))
    return len(found), [blob for blob in blobs if blob]
