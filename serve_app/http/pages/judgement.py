"""What people think of a candidate, beside what the model thinks: their reviews, arranged for the pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

RECOMMENDATIONS = {
    "advance": "Advance",
    "hold": "Hold",
    "reject": "Reject",
    "insufficient_evidence": "Not enough evidence",
}


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one person says about a competency, or over all, and how that stands to the model."""

    reviewer: str
    says: str
    reason: str
    beside: str
    """How it stands to the model, in words."""
    differs: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """The reviews of a job. `own` holds the reader's own one, as the form shows it."""

    overall: Sequence[Opinion]
    by_competency: Mapping[str, Sequence[Opinion]]
    own: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, reviews: Sequence[Mapping[str, Any]], reader: str, *, hidden: bool = False) -> "Judgement":
        """The reviews as the page shows them to `reader`; only their own one where the model's part is hidden."""
        own = next((review for review in reviews if review["reviewer"] == reader), {})
        if hidden:
            return cls([], {}, own)
        by_competency: dict[str, list[Opinion]] = {}
        for review in reviews:
            for slug, score in review["scores"].items():
                by_competency.setdefault(slug, []).append(_of_score(review["reviewer"], score))
        return cls([_overall(one) for one in reviews if one["recommendation"] or one["note"]], by_competency, own)

    @property
    def differing(self) -> int:
        """Ratings that differ from the model's, the overall ones included."""
        every = [*self.overall, *(one for each in self.by_competency.values() for one in each)]
        return sum(one.differs for one in every)


def in_short(reviews: Sequence[Mapping[str, Any]]) -> str:
    """What people recommend, or the mean of their scores, in a few words; empty without reviews."""
    said = [RECOMMENDATIONS[review["recommendation"]] for review in reviews if review["recommendation"]]
    if said:
        by_count = sorted(dict.fromkeys(said), key=lambda one: -said.count(one))
        return ", ".join(f"{one} ({said.count(one)})" if len(said) > 1 else one for one in by_count)
    scores = [one["score"] for review in reviews for one in review["scores"].values() if one["score"] is not None]
    if scores:
        return f"{sum(scores) / len(scores):.1f} of 5"
    return "Noted" if reviews else ""


def _overall(review: Mapping[str, Any]) -> Opinion:
    said, model = review["recommendation"], review["model_recommendation"]
    differs = said is not None and said != model
    beside = f"the model: {RECOMMENDATIONS[model]}" if differs else "as the model" if said else ""
    words = RECOMMENDATIONS[said] if said else "No recommendation"
    return Opinion(review["reviewer"], words, review["note"] or "", beside, differs)


def _of_score(reviewer: str, score: Mapping[str, Any]) -> Opinion:
    own, model = score["score"], score["model_score"]
    says = "The interview does not tell" if own is None else f"{own} of 5"
    return Opinion(reviewer, says, score["reason"] or "", _beside(own, model), own != model)


def _beside(own: int | None, model: int | None) -> str:
    if own == model:
        return "as the model"
    if own is None:
        return f"the model: {model} of 5"
    if model is None:
        return "the model gave no score"
    apart = abs(own - model)
    return f"{apart} {'level' if apart == 1 else 'levels'} {'above' if own > model else 'below'} the model"
