"""Two to five candidates for one role side by side: competencies by candidate, with quotes and what people say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts.actors import Actor
from serve_app.errors import JobNotFound
from serve_app.http.deps import Services
from serve_app.http.pages.judgement import Judgement, in_short
from serve_app.http.pages.scorecard import Level, Scorecard
from serve_app.http.pages.templates import PRIVATE, SCRIPT_POLICY, render
from serve_app.http.pages.visitors import CurrentVisitor
from serve_app.jobs import queries as jobs
from serve_app.jobs import reading
from serve_app.jobs.models import Job
from serve_app.jobs.review import must_rate_first

router = APIRouter(prefix="/interviews", include_in_schema=False)

LEAST, MOST = 2, 5
QUOTES = 2
"""Quotes that a cell shows; the scorecard has all."""
MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One column: an interview with its levels by competency. Nothing of the model is in one that is `hidden`."""

    job: Job
    hidden: bool
    levels: dict[str, Level]
    model: str
    people: str
    judgement: Judgement

    @property
    def scored(self) -> list[int]:
        """The scores that there are."""
        return [level.score for level in self.levels.values() if level.score is not None]

    @property
    def mean(self) -> float | None:
        """Mean of the scores. None without any."""
        return sum(self.scored) / len(self.scored) if self.scored else None

    def value(self, by: str) -> float:
        """What the candidates are sorted by; 0 where there is no score."""
        if by == MEAN:
            return self.mean or 0.0
        return float(self.levels[by].score or 0) if by in self.levels else 0.0


@router.get("/compare")
async def compare_interviews(
    visitor: CurrentVisitor,
    services: Services,
    selected: Annotated[list[str] | None, Query(alias="job", max_length=25)] = None,
    sort: Annotated[str, Query(max_length=64)] = "",
) -> HTMLResponse:
    """The candidates side by side, in the order in which they were chosen or by one of their scores."""
    async with services.database.transaction() as session:
        found = [await _find(session, visitor.account_id, one) for one in dict.fromkeys(selected or ())]
        finished = [job for job in found if job is not None and job.result is not None]
        if not LEAST <= len(finished) <= MOST:
            context = {"visitor": visitor, "finished": len(finished), "chosen": len(found)}
            return render("cannot_compare.html", context, status=422, headers=PRIVATE)
        for job in finished:
            await reading.note_seen(session, visitor.actor, job)
        candidates = [await _candidate(session, job, visitor.actor) for job in finished]
    if sort:
        candidates.sort(key=lambda one: -one.value(sort))
    names = {slug: level.name for one in candidates for slug, level in one.levels.items()}
    context = {
        "visitor": visitor,
        "candidates": candidates,
        "competencies": names,
        "sort": sort,
        "address": [("job", job.id) for job in finished],
        "roles": _different(str(job.inputs.get("role_title", "")) for job in finished),
        "rubrics": _different((job.result or {})["assessment"]["rubric_version"] for job in finished),
        "quotes": QUOTES,
    }
    return render("compare.html", context, policy=SCRIPT_POLICY, headers=PRIVATE)


async def _find(session: AsyncSession, account_id: str, job_id: str) -> Job | None:
    try:
        return await jobs.get_owned(session, account_id, job_id)
    except JobNotFound:
        return None


async def _candidate(session: AsyncSession, job: Job, actor: Actor) -> Candidate:
    hidden = await must_rate_first(session, actor, job)
    card = Scorecard(job.result or {})
    return Candidate(
        job=job,
        hidden=hidden,
        levels={} if hidden else {level.slug: level for level in card.levels},
        model="" if hidden else card.recommendation,
        people="" if hidden else in_short(job.reviews),
        judgement=Judgement.of(job.reviews, actor.name, hidden=hidden),
    )


def _different(values: Iterable[str]) -> Sequence[str]:
    """The values, where they differ."""
    once = list(dict.fromkeys(values))
    return once if len(once) > 1 else []
