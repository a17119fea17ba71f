"""Judge a passage against the five anchors of a competency.

Free generation is useless at small sizes, likelihood is not: the model is asked how likely each anchor is as a
description of the answer, and each is held against how likely it is of no answer at all (contextual calibration, Zhao
et al. 2021, "Calibrate Before Use"; several wordings as in Jiang et al. 2020, "How Can We Know What Language Models
Know?"). There is no list of options in the prompt, so their order cannot matter, and no instruction to be overruled.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from serve_app.pipeline.assessment.judges.points import level as level_of_points
from serve_app.pipeline.assessment.passages import Exchange
from serve_app.pipeline.assessment.ports import Weigher
from serve_app.pipeline.types import Competency

WORDINGS = (
    (
        "An interviewer asked: “{question}”\nThe candidate answered: “{answer}”\n",
        "About {name}, this can be said. ",
    ),
    ("Question: {question}\nAnswer: {answer}\n\n", "Assessment of the answer ({name}): "),
    (
        "Notes from a job interview.\nThey were asked: {question}\nThey said: {answer}\n",
        "The note on {name} reads: ",
    ),
)
"""Context and question of each pass; all competencies of a passage share the context."""
NOTHING = "…"
SHARPNESS = 12.0
"""Turns differences of mean log-likelihood per token, mostly within 0.3, into a distribution over five anchors."""
STABLE_SPREAD = 1


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the passes said of one competency."""

    score: int
    """Median of the passes, 1 to 5."""
    confidence: float
    """How little the passes together are spread over the levels, 0 to 1; see `certainty`."""
    spread: int
    exchange: Exchange
    """The passage the score rests on."""

    @property
    def stable(self) -> bool:
        """Whether all wordings agree to within one point."""
        return self.spread <= STABLE_SPREAD


class Judging(Protocol):
    """A way to judge one interview."""

    def best(self, competency: Competency, passages: Sequence[Exchange]) -> Judgement:
        """The judgement that a competency gets for its passages, of which there is at least one."""
        ...


class Judge:
    """Judges one interview by likelihood, remembering what does not depend on the answer."""

    def __init__(self, model: Weigher) -> None:
        self._model = model
        self._blank: dict[tuple[str, str, str, str], list[float]] = {}

    def best(self, competency: Competency, passages: Sequence[Exchange]) -> Judgement:
        """The judgement of the passage that shows most, as interviewers do with several answers."""
        judged = [self._judge(competency, passage) for passage in passages]
        return max(judged, key=lambda judgement: (judgement.score, judgement.confidence))

    def _judge(self, competency: Competency, exchange: Exchange) -> Judgement:
        passes = [self._distribution(wording, competency, exchange.question, exchange.answer) for wording in WORDINGS]
        scores = [round(mean_level(distribution)) for distribution in passes]
        score = int(median(scores))  # of three passes: one of them
        together = [sum(shares) / len(passes) for shares in zip(*passes, strict=True)]
        return Judgement(score, round(certainty(together), 2), max(scores) - min(scores), exchange)

    def _distribution(
        self, wording: tuple[str, str], competency: Competency, question: str, answer: str
    ) -> list[float]:
        given = self._weigh(wording, competency, question, answer)
        key = (*wording, competency.slug, question)
        if key not in self._blank:
            self._blank[key] = self._weigh(wording, competency, question, NOTHING)
        blank = self._blank[key]
        return softmax([SHARPNESS * (with_ - without) for with_, without in zip(given, blank, strict=True)])

    def _weigh(self, wording: tuple[str, str], competency: Competency, question: str, answer: str) -> list[float]:
        context, ask = wording
        return self._model.score(
            context.format(question=question, answer=answer),
            ask.format(name=competency.name.lower()),
            [competency.anchors[level] for level in range(1, 6)],
        )


def best_by_points(competency: Competency, passages: Sequence[Exchange]) -> Judgement:
    """How many of the competency's points all passages make together; rests on the one that makes most.

    Asks no model, so nothing can vary.
    """
    said = [(passage.question, passage.answer) for passage in passages]
    level = level_of_points(competency.points, said)
    alone = [level_of_points(competency.points, [one]) for one in said]
    inside = 1 - 2 * abs(level - round(level))  # 1 in the middle of what rounds to this score, 0 at its border
    return Judgement(round(level), round(inside, 2), 0, passages[alone.index(max(alone))])


def mean_level(distribution: Sequence[float]) -> float:
    """The expected level, 1 to 5."""
    return sum(level * share for level, share in enumerate(distribution, start=1))


def certainty(distribution: Sequence[float]) -> float:
    """1 when all probability is on one level, 0 when it is split between the two ends."""
    mean = mean_level(distribution)
    variance = sum(share * (level - mean) ** 2 for level, share in enumerate(distribution, start=1))
    return 1 - math.sqrt(variance) / 2


def softmax(values: Sequence[float]) -> list[float]:
    """Probabilities proportional to exp(value)."""
    highest = max(values)
    weights = [math.exp(value - highest) for value in values]
    return [weight / sum(weights) for weight in weights]
