"""People's reviews of a job's result, and how far people and the model agree."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from serve_app import services as app_services
from serve_app.accounts.actors import Actor
from serve_app.errors import Conflict, InvalidField, JobNotFound, RateLimited, Unauthorized, WrongScope
from serve_app.http.deps import CurrentCaller, OwnedJob, Services
from serve_app.http.openapi import refusals
from serve_app.jobs import agreement
from serve_app.jobs import review as reviews
from serve_app.jobs.agreement import Agreement, ReviewFilter, squared, unequal
from serve_app.jobs.models import Job
from serve_app.jobs.review import Rating, ReviewRequest
from serve_app.pipeline.result import Review
from serve_app.pipeline.types import Recommendation
from serve_app.storage.text import Storable

router = APIRouter(prefix="/v1", tags=["reviews"], responses=refusals(Unauthorized, InvalidField, RateLimited))

Level = Annotated[int, Field(ge=1, le=5)]
Reviewer = Annotated[Storable, Field(min_length=1, max_length=200)]


class RatingForm(BaseModel):
    """A person's rating of one competency."""

    model_config = ConfigDict(extra="forbid")

    score: Level | None = Field(description="1 to 5, by the rubric's anchors. Null: the interview does not tell.")
    reason: Annotated[Storable, Field(max_length=2000)] | None = None


class ReviewForm(BaseModel):
    """A person's review. Has at least one of `scores`, `recommendation` and `note`."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    reviewer: Reviewer | None = Field(
        default=None,
        description="Who reviews: a name or an id of your own. Default: the key's name or prefix.",
    )
    scores: dict[str, RatingForm] = Field(default_factory=dict, description="By competency, as in the result's scores.")
    recommendation: Recommendation | None = None
    note: Annotated[Storable, Field(max_length=5000)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "ReviewForm":
        if not (self.scores or self.recommendation or self.note):
            raise ValueError("has none of scores, recommendation and note. Send at least one")
        return self


class AgreementQuery(BaseModel):
    """Which reviews count. Unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid")

    vertical: Annotated[Storable, Field(max_length=64)] | None = None
    rubric_version: Annotated[Storable, Field(max_length=64)] | None = None
    model: Annotated[Storable, Field(max_length=200, description="The assessor's name, as results give it.")] | None = (
        None
    )
    reviewer: Reviewer | None = None


class AgreementView(BaseModel):
    """How far people and the model agree in the pairs that both rated."""

    pairs: int = Field(description="Ratings that both gave.")
    same: int = Field(description="Pairs with the same rating.")
    kappa: float | None = Field(
        description="Cohen's kappa: 1 is full agreement, 0 that of chance. Null without pairs, or where all were alike."
    )
    counts: dict[str, dict[str, int]] = Field(
        description="Number of pairs by the person's rating, then by the model's.", examples=[{"4": {"3": 2, "4": 9}}]
    )


class ScoreAgreementView(AgreementView):
    """How far people and the model agree on one competency."""

    within_one: int = Field(description="Pairs at most one level apart.")
    weighted_kappa: float | None = Field(
        description="Kappa with quadratic weights: two levels apart count four times as much as one."
    )
    person_only: int = Field(description="The person gave a score, the model none.")
    model_only: int = Field(description="The model gave a score; the person said that the interview does not tell.")


class ReviewAgreement(BaseModel):
    """Agreement between people and the model, over the reviews of jobs whose content is still stored."""

    reviews: int
    recommendation: AgreementView
    competencies: dict[str, ScoreAgreementView]


@router.post("/jobs/{job_id}/review", responses=refusals(WrongScope, JobNotFound, Conflict))
async def review_job(job: OwnedJob, caller: CurrentCaller, services: Services, form: ReviewForm) -> Review:
    """Add a person's ratings and reasons to a completed job. The job's result shows them beside the model's.

    A reviewer has one review of a job: another one replaces it. Reviews are erased with the job.
    """
    return await save_review(job, caller.actor, services, form)


async def save_review(job: Job, actor: Actor, services: app_services.Services, form: ReviewForm) -> Review:
    """Add a review to a job, or replace the reviewer's earlier one."""
    scores = {slug: Rating(**rating.model_dump()) for slug, rating in form.scores.items()}
    request = ReviewRequest(form.reviewer or actor.name, scores, form.recommendation, form.note or None)
    async with services.database.transaction() as session:
        return await reviews.review(session, actor, job.id, request)


@router.get("/reviews/agreement")
async def get_review_agreement(
    caller: CurrentCaller, services: Services, query: Annotated[AgreementQuery, Query()]
) -> ReviewAgreement:
    """Get how far people and the model agree, by competency: counts and Cohen's kappa."""
    filter_ = ReviewFilter(**query.model_dump())
    if not caller.key.opens_all:
        filter_ = ReviewFilter(**query.model_dump(exclude={"vertical"}), vertical=caller.key.scope)
    async with services.database.transaction() as session:
        total = await agreement.count_reviews(session, caller.account_id, filter_)
        recommendation = await agreement.recommendation_agreement(session, caller.account_id, filter_)
        scores = await agreement.score_agreement(session, caller.account_id, filter_)
    return ReviewAgreement(
        reviews=total,
        recommendation=AgreementView(**_common(recommendation)),
        competencies={slug: _score_view(each) for slug, each in scores.items()},
    )


def _score_view(each: Agreement[int]) -> ScoreAgreementView:
    return ScoreAgreementView(
        **_common(each),
        within_one=sum(count for (person, model), count in each.counts.items() if abs(person - model) <= 1),
        weighted_kappa=each.kappa(squared),
        person_only=each.person_only,
        model_only=each.model_only,
    )


def _common(each: Agreement[Any]) -> dict[str, Any]:
    counts: dict[str, dict[str, int]] = {}
    for (person, model), count in sorted(each.counts.items()):
        counts.setdefault(str(person), {})[str(model)] = count
    return {"pairs": each.pairs, "same": each.same, "kappa": each.kappa(unequal), "counts": counts}
