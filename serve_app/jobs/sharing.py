"""Share links: parts of a scorecard for people without an account, until a day, and gone when they are revoked."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts import audit
from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.audit import Action
from serve_app.errors import Conflict, NotFound
from serve_app.jobs.models import Job, ShareLink, ShareView
from serve_app.pipeline.scorecard.document import Section
from serve_app.storage.database import after
from serve_app.storage.text import storable

MAX_LINKS = 50
"""Links of one interview, revoked ones included."""
MAX_DAYS = 90
MAX_VIEWS_SHOWN = 20
DAY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class ShareRequest:
    """What a new link shows, for how long, and the argon2id hash of its passcode."""

    sections: Sequence[Section]
    days: int
    hide_name: bool = False
    passcode_hash: str | None = None


async def create_link(session: AsyncSession, actor: Actor, job: Job, request: ShareRequest) -> ShareLink:
    """Make a link to a job's scorecard. Raises `NotPermitted`, and `Conflict` without a result or with `MAX_LINKS`."""
    actor.must_be(Role.RECRUITER)
    locked = select(Job).where(col(Job.id) == job.id).with_for_update().execution_options(populate_existing=True)
    job = (await session.exec(locked)).one()
    if job.result is None:
        raise Conflict(f"The job is {job.state} and has no scorecard. Only a completed, undeleted job can be shared.")
    made = (await session.exec(select(func.count()).where(col(ShareLink.job_id) == job.id))).one()
    if made >= MAX_LINKS:
        raise Conflict(f"The interview has {made} links, the most that it can have. Send one of them on.")
    link = ShareLink(
        account_id=job.account_id, job_id=job.id, sections=[section.value for section in request.sections],
        hide_name=request.hide_name, passcode_hash=request.passcode_hash, created_by=actor.name,
        expires_at=after(request.days * DAY_S),
    )  # fmt: skip
    session.add(link)
    await session.flush()
    await session.refresh(link)
    await audit.record(session, actor, Action.INTERVIEW_SHARED, job.id, f"{link.id}, for {request.days} days")
    return link


async def list_links(session: AsyncSession, actor: Actor, job: Job) -> Sequence[ShareLink]:
    """All links to a job's scorecard, newest first. Raises `NotPermitted`."""
    actor.must_be(Role.RECRUITER)
    query = select(ShareLink).where(col(ShareLink.job_id) == job.id)
    return (await session.exec(query.order_by(col(ShareLink.created_at).desc(), col(ShareLink.id)))).all()


async def list_views(session: AsyncSession, links: Sequence[ShareLink]) -> dict[str, Sequence[ShareView]]:
    """The newest views of each link."""
    views = {}
    for link in links:
        query = select(ShareView).where(col(ShareView.link_id) == link.id).order_by(col(ShareView.id).desc())
        views[link.id] = (await session.exec(query.limit(MAX_VIEWS_SHOWN))).all()
    return views


async def revoke_link(session: AsyncSession, actor: Actor, job: Job, link_id: str) -> None:
    """End a link now. Does nothing to one that is revoked. Raises `NotPermitted` and `NotFound`."""
    actor.must_be(Role.RECRUITER)
    mine = (col(ShareLink.id) == link_id, col(ShareLink.job_id) == job.id, col(ShareLink.account_id) == job.account_id)
    if not storable(link_id) or (await session.exec(select(ShareLink).where(*mine))).first() is None:
        raise NotFound("The interview has no such link.")
    ended = await session.exec(
        update(ShareLink)
        .where(*mine, col(ShareLink.revoked_at).is_(None))
        .values(revoked_at=func.now())
        .returning(col(ShareLink.id))
    )
    if ended.first() is not None:
        await audit.record(session, actor, Action.SHARE_REVOKED, job.id, link_id)


async def find_live(session: AsyncSession, link_id: str) -> tuple[ShareLink, Job] | None:
    """A link that still opens, and its job. None when it is revoked, has expired, or its job is erased."""
    live = (col(ShareLink.id) == link_id, col(ShareLink.revoked_at).is_(None), col(ShareLink.expires_at) > func.now())
    query = select(ShareLink, Job).join(Job, col(Job.id) == col(ShareLink.job_id)).where(*live)
    return (await session.exec(query.where(col(Job.erased_at).is_(None)))).first()


async def note_view(session: AsyncSession, link: ShareLink, address: str) -> None:
    """Count and log a view."""
    await session.exec(update(ShareLink).where(col(ShareLink.id) == link.id).values(views=ShareLink.views + 1))
    session.add(ShareView(link_id=link.id, address=address[:64]))
    await session.flush()
