"""`Judge` and `Judgement`: the protocol of all judges and its result."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from serve_app.pipeline.assessment.passages import Passage
from serve_app.pipeline.assessment.text import Sentence
from serve_app.pipeline.types import Competency

STABLE_SPREAD = 1
"""Levels. A wider range leaves the score open."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The score of one competency."""

    score: int
    """1 to 5. The median where a judge makes several passes."""
    confidence: float
    """0 to 1. From a grader: the probability of this level or a neighbour. From passes: see `certainty`."""
    lowest: int
    """The lowest level that is likely, or that a pass gave."""
    highest: int
    """The highest such level."""
    passage: Passage
    """The passage that the score rests on."""
    evidence: Sentence | None = None
    """The sentence that speaks most for the score, where the judge knows it."""

    @property
    def spread(self) -> int:
        """Width of the range of levels."""
        return self.highest - self.lowest

    @property
    def stable(self) -> bool:
        """Whether the range is at most one level wide."""
        return self.spread <= STABLE_SPREAD


class Judge(Protocol):
    """Scores the competencies of one interview."""

    def judge(self, competency: Competency, passages: Sequence[Passage]) -> Judgement:
        """Score a competency on its passages; takes at least one."""
        ...


def mean_level(distribution: Sequence[float]) -> float:
    """Return the expected level, 1 to 5, of five probabilities."""
    return sum(level * share for level, share in enumerate(distribution, start=1))


def certainty(distribution: Sequence[float]) -> float:
    """Return 1 when all probability is on one level, 0 when it is split between levels 1 and 5."""
    mean = mean_level(distribution)
    variance = sum(share * (level - mean) ** 2 for level, share in enumerate(distribution, start=1))
    return 1 - math.sqrt(variance) / 2
