"""Graded short answers, agreement between two raters, and the TF-IDF baseline."""

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from serve_app.pipeline.assessment.passages import Passage
from serve_app.pipeline.assessment.text import Sentence
from serve_app.pipeline.assessment.words import stem
from serve_app.pipeline.types import Competency

GRADES = 6
"""Mohler's graders gave 0 to 5, some of them halves, which are rounded up for QWK."""


@dataclass(frozen=True, slots=True)
class RatedAnswer:
    """An answer with two human grades, 0 to 5."""

    question: str
    reference: str
    answer: str
    grades: tuple[float, float]

    @property
    def mean(self) -> float:
        """The mean grade."""
        return sum(self.grades) / 2

    def passage(self) -> Passage:
        """Return the answer as the judge gets it from an interview."""
        return Passage(self.question, (Sentence(self.answer, 0.0, 1.0, trusted=True),))

    def competency(self, *, with_points: bool) -> Competency:
        """Return what the question asks for as a competency. The reference answer is its point."""
        anchors = {
            1: "The answer has nothing to do with the question.",
            2: "The answer touches the question and says little that is right.",
            3: "The answer is partly right.",
            4: f"The answer says most of this: {self.reference}",
            5: f"The answer says all of this: {self.reference}",
        }
        points = (self.reference,) if with_points else ()
        return Competency("knowledge", "Knowledge", "Knows the subject.", anchors, points=points)


def read_answers(path: Path) -> list[RatedAnswer]:
    """Read Mohler's short answers from a JSON-lines file."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        RatedAnswer(row["question"], row["reference_answer"], row["answer"], (row["grader1_0to5"], row["grader2_0to5"]))
        for row in rows
    ]


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the rank correlation, ties shared; 0 where one side has a single value."""
    a, b = ranks(one), ranks(other)
    spread = float(a.std() * b.std())
    return round(float(((a - a.mean()) * (b - b.mean())).mean()) / spread, 3) if spread else 0.0


def ranks(values: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return ranks from 1; equal values share the mean of theirs."""
    _, group, counts = np.unique(np.asarray(values, float), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[group], np.float64)


def qwk(one: Sequence[float], other: Sequence[float]) -> float:
    """Return Cohen's kappa with quadratic weights over whole grades 0 to 5 (Cohen 1968)."""
    counts: npt.NDArray[np.float64] = np.zeros((GRADES, GRADES))
    for a, b in zip(one, other, strict=True):
        counts[math.floor(a + 0.5), math.floor(b + 0.5)] += 1
    expected = np.outer(counts.sum(1), counts.sum(0)) / counts.sum()
    distance = np.subtract.outer(np.arange(GRADES), np.arange(GRADES)) ** 2
    return round(float(1 - (distance * counts).sum() / (distance * expected).sum()), 3)


def to_grade(score: int) -> float:
    """Convert a score, 1 to 5, to the graders' scale, 0 to 5."""
    return (score - 1) * 1.25


class TfIdf:
    """Baseline: cosine of the TF-IDF vectors of reference and answer, over stems."""

    def __init__(self, answers: Sequence[RatedAnswer]) -> None:
        texts = {f"{answer.question} {answer.reference}" for answer in answers}
        self._texts = len(texts)
        self._holding = Counter(word for text in texts for word in set(_words(text)))

    def __call__(self, answer: RatedAnswer) -> float:
        reference, words = Counter(_words(answer.reference)), Counter(_words(answer.answer))
        shared = sum(count * words[word] * self._rarity(word) ** 2 for word, count in reference.items())
        return shared / (self._length(reference) * self._length(words))

    def _rarity(self, word: str) -> float:
        return math.log(1 + self._texts / (1 + self._holding[word]))

    def _length(self, words: Counter[str]) -> float:
        return math.sqrt(sum((count * self._rarity(word)) ** 2 for word, count in words.items())) or 1.0


def _words(text: str) -> list[str]:
    return [stem(word) for word in re.findall(r"[a-z0-9']+", text.lower())]
