"""`Judge` and `Judgement`: the protocol of all judges and its result."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from serve_app.pipeline.assessment.passages import Passage
from serve_app.pipeline.types import Competency

STABLE_SPREAD = 1
"""Levels. Passes that are further apart disagree."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The score of one competency from several passes of a judge."""

    score: int
    """Median of the passes, 1 to 5."""
    confidence: float
    """0 to 1; see `certainty`."""
    spread: int
    """Difference between the highest and the lowest pass."""
    passage: Passage
    """The passage that the score rests on."""

    @property
    def stable(self) -> bool:
        """Whether all passes agree to within one level."""
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
