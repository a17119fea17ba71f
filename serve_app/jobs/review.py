"""People's reviews of completed jobs: ratings and reasons beside the model's.

A reviewer has one review of a job; sending it again replaces it. Reviews are kept in the job's row and are erased with
its content. Each keeps the model's values that it was written beside, so that agreement needs no results.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts import audit
from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.audit import Action
from serve_app.accounts.models import Account
from serve_app.errors import Conflict, InvalidField
from serve_app.jobs.lifecycle import add_review, webhook_event
from serve_app.jobs.models import Job
from serve_app.pipeline.result import Review, ReviewedScore
from serve_app.pipeline.types import Recommendation
from serve_app.webhooks import outbox
from serve_app.webhooks.models import EventType

MAX_REVIEWERS = 20
"""Reviews of one job."""


@dataclass(frozen=True, slots=True)
class Rating:
    """A person's score of a competency, 1 to 5, with the reason. None: the interview does not tell."""

    score: int | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """What a person says about a candidate. Competencies that are left out are not rated."""

    reviewer: str
    scores: dict[str, Rating] = field(default_factory=dict)
    recommendation: Recommendation | None = None
    note: str | None = None


async def review(session: AsyncSession, actor: Actor, job_id: str, request: ReviewRequest) -> Review:
    """Add a review to a job, or replace the reviewer's earlier one.

    Raises `Conflict` when the job has no result or has `MAX_REVIEWERS` reviews, and `InvalidField` for a competency
    that its rubric does not have, and `NotPermitted`.
    """
    actor.must_be(Role.RECRUITER)
    query = select(Job).where(col(Job.id) == job_id).with_for_update().execution_options(populate_existing=True)
    job = (await session.exec(query)).one()
    if job.result is None:
        raise Conflict(f"The job is {job.state} and has no result. Only a completed, undeleted job can be reviewed.")
    written = _beside_model(request, job.result["assessment"])
    others = [one for one in job.reviews if one["reviewer"] != request.reviewer]
    earlier = next((one for one in job.reviews if one["reviewer"] == request.reviewer), written)
    if len(others) >= MAX_REVIEWERS:
        raise Conflict(f"The job has {len(others)} reviews, the most that it can have. Replace one: send its reviewer.")
    written["created_at"] = earlier["created_at"]
    told = webhook_event(EventType.JOB_REVIEWED, job)
    told.data["seq"] = await add_review(session, job_id, [*others, written])
    await outbox.add(session, told)
    await audit.record(session, actor, Action.INTERVIEW_RATED, job_id)
    return written


def has_rated(reviews: Sequence[Mapping[str, Any]], competencies: Collection[str], reviewer: str) -> bool:
    """Whether a reviewer has said something about every competency, "the interview does not tell" included."""
    return any(one["reviewer"] == reviewer and one["scores"].keys() >= set(competencies) for one in reviews)


async def rates_first(session: AsyncSession, actor: Actor) -> bool:
    """Whether the actor has to rate before they see the model's scores. Viewers, who cannot rate, have not."""
    account = await session.get_one(Account, actor.account_id)
    return account.rate_first and actor.role.covers(Role.RECRUITER)


async def must_rate_first(session: AsyncSession, actor: Actor, job: Job) -> bool:
    """Whether the actor still has to rate this job before they see the model's scores."""
    if job.result is None or not await rates_first(session, actor):
        return False
    return not has_rated(job.reviews, job.result["assessment"]["scores"], actor.name)


def with_reviews(job: Job) -> dict[str, Any] | None:
    """The job's result with the people's reviews in it. None while it has no result."""
    return None if job.result is None else job.result | {"reviews": job.reviews}


def _beside_model(request: ReviewRequest, assessment: dict[str, Any]) -> Review:
    now = datetime.now(UTC).isoformat()
    return Review(
        reviewer=request.reviewer,
        recommendation=request.recommendation,
        model_recommendation=assessment["recommendation"],
        scores={slug: _scored(slug, rating, assessment["scores"]) for slug, rating in request.scores.items()},
        note=request.note,
        model=assessment["model"],
        rubric_version=assessment["rubric_version"],
        created_at=now,
        updated_at=now,
    )


def _scored(slug: str, rating: Rating, scores: dict[str, Any]) -> ReviewedScore:
    if slug not in scores:
        raise InvalidField(
            f"'scores': the job's rubric has no competency '{slug[:60]}'. It has: {', '.join(scores)}.", "scores"
        )
    return ReviewedScore(score=rating.score, reason=rating.reason, model_score=scores[slug]["score"])
