"""How far people and the model agree, for an account's own audit of its assessments.

Each review of a job whose content is still stored counts once, so two reviewers of one job are two pairs of ratings.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Integer, column, func, text, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.jobs.models import Job

R = TypeVar("R", int, str)
Counts = Mapping[tuple[R, R], int]
"""Number of pairs by the person's and the model's rating."""


@dataclass(frozen=True, slots=True)
class ReviewFilter:
    """Which reviews count. None counts all."""

    vertical: str | None = None
    rubric_version: str | None = None
    model: str | None = None
    reviewer: str | None = None


@dataclass(frozen=True, slots=True)
class Agreement(Generic[R]):
    """The pairs of ratings of one competency, or of the recommendation, and how far they agree."""

    counts: Counts[R]
    person_only: int = 0
    """Rated by the person, left open by the model."""
    model_only: int = 0
    """Rated by the model; the person said that the interview does not tell."""

    @property
    def pairs(self) -> int:
        """Ratings that both gave."""
        return sum(self.counts.values())

    @property
    def same(self) -> int:
        """Pairs with equal ratings."""
        return sum(count for (person, model), count in self.counts.items() if person == model)

    def kappa(self, disagreement: Callable[[R, R], float]) -> float | None:
        """Cohen's kappa (1968) with a weight for each kind of disagreement; 1 is full agreement, 0 that of chance.

        None without pairs, and where both raters always gave the same one rating: chance then explains everything.
        """
        persons, models = Counter[R](), Counter[R]()
        for (person, model), count in self.counts.items():
            persons[person] += count
            models[model] += count
        observed = sum(count * disagreement(*pair) for pair, count in self.counts.items())
        expected = sum(n * m * disagreement(p, q) for p, n in persons.items() for q, m in models.items())
        return None if expected == 0 else round(1 - self.pairs * observed / expected, 3)


def unequal(person: object, model: object) -> float:
    """The weight of Cohen's kappa (1960): every disagreement counts the same."""
    return float(person != model)


def squared(person: int, model: int) -> float:
    """The weight for ratings on a scale: two levels apart count four times as much as one."""
    return float((person - model) ** 2)


async def count_reviews(session: AsyncSession, account_id: str, filter_: ReviewFilter) -> int:
    """Number of the account's reviews."""
    reviews = _reviews(account_id, filter_)
    return int((await session.exec(select(func.count()).select_from(reviews))).one())


async def score_agreement(session: AsyncSession, account_id: str, filter_: ReviewFilter) -> dict[str, Agreement[int]]:
    """Agreement on the scores, by competency in alphabetical order."""
    reviews = _reviews(account_id, filter_)
    rated = func.jsonb_each(reviews.c.review["scores"]).table_valued("key", column("value", JSONB), name="rated")
    person, model = (rated.c.value[name].astext.cast(Integer) for name in ("score", "model_score"))
    pairs: Any = (rated.c.key, person, model)
    counted: Any = (*pairs, func.count())
    query: Any = select(*counted).select_from(reviews).join(rated, true()).group_by(*pairs)
    by_slug: dict[str, list[tuple[int | None, int | None, int]]] = {}
    for slug, *row in (await session.exec(query.order_by(rated.c.key))).all():
        by_slug.setdefault(slug, []).append(tuple(row))
    return {slug: _agreement(rows) for slug, rows in by_slug.items()}


async def recommendation_agreement(session: AsyncSession, account_id: str, filter_: ReviewFilter) -> Agreement[str]:
    """Agreement on the recommendation, over the reviews that give one."""
    reviews = _reviews(account_id, filter_)
    pair: Any = [reviews.c.review[name].astext for name in ("recommendation", "model_recommendation")]
    counted: Any = (*pair, func.count())
    query: Any = select(*counted).where(pair[0].is_not(None)).group_by(*pair)
    return Agreement({(person, model): count for person, model, count in (await session.exec(query)).all()})


def _reviews(account_id: str, filter_: ReviewFilter) -> Any:
    """The reviews that count, as a subquery with the column `review`."""
    review = func.jsonb_array_elements(col(Job.reviews), type_=JSONB).label("review")
    reviewed = (col(Job.account_id) == account_id, col(Job.reviews) != text("'[]'"))
    query: Any = select(review).where(*reviewed)
    if filter_.vertical is not None:
        query = query.where(col(Job.vertical) == filter_.vertical)
    every = query.subquery()
    equal = {name: getattr(filter_, name) for name in ("rubric_version", "model", "reviewer")}
    conditions = [every.c.review[name].astext == value for name, value in equal.items() if value is not None]
    return select(every).where(*conditions).subquery()


def _agreement(rows: Sequence[tuple[int | None, int | None, int]]) -> Agreement[int]:
    return Agreement(
        {(person, model): count for person, model, count in rows if person is not None and model is not None},
        person_only=sum(count for person, model, count in rows if person is not None and model is None),
        model_only=sum(count for person, model, count in rows if person is None and model is not None),
    )
