"""Judge by likelihood: how likely each anchor is as a description of the answer.

Small models generate useless text, but their likelihoods are informative. The likelihood of an anchor after the answer
is compared with its likelihood after no answer (contextual calibration, Zhao et al. 2021, "Calibrate Before Use"), in
several wordings (Jiang et al. 2020, "How Can We Know What Language Models Know?"). The prompt holds no list of options,
so their order cannot matter, and no instruction that speech could overrule.
"""

import math
from collections.abc import Sequence
from statistics import median

from serve_app.pipeline.assessment.judges.judgement import Judgement, certainty, mean_level
from serve_app.pipeline.assessment.passages import Passage
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
"""Context and question of each pass. All competencies of a passage share the context."""
NO_ANSWER = "…"
SHARPNESS = 12.0
"""Turns differences of mean log-likelihood per token, mostly within 0.3, into a distribution over five anchors."""


class LikelihoodJudge:
    """See `Judge`. Caches the likelihoods that do not depend on the answer."""

    def __init__(self, model: Weigher) -> None:
        self._model = model
        self._without_answer: dict[tuple[str, str, str, str], list[float]] = {}

    def judge(self, competency: Competency, passages: Sequence[Passage]) -> Judgement:
        """Judge each passage and return the highest judgement, as interviewers do with several answers."""
        judgements = [self._judge(competency, passage) for passage in passages]
        return max(judgements, key=lambda judgement: (judgement.score, judgement.confidence))

    def _judge(self, competency: Competency, passage: Passage) -> Judgement:
        passes = [self._distribution(wording, competency, passage.question, passage.answer) for wording in WORDINGS]
        levels = [round(mean_level(distribution)) for distribution in passes]
        together = [sum(shares) / len(passes) for shares in zip(*passes, strict=True)]
        return Judgement(int(median(levels)), round(certainty(together), 2), min(levels), max(levels), passage)

    def _distribution(
        self, wording: tuple[str, str], competency: Competency, question: str, answer: str
    ) -> list[float]:
        with_answer = self._weigh(wording, competency, question, answer)
        key = (*wording, competency.slug, question)
        if key not in self._without_answer:
            self._without_answer[key] = self._weigh(wording, competency, question, NO_ANSWER)
        without = self._without_answer[key]
        return softmax([SHARPNESS * (after - before) for after, before in zip(with_answer, without, strict=True)])

    def _weigh(self, wording: tuple[str, str], competency: Competency, question: str, answer: str) -> list[float]:
        context, ask = wording
        return self._model.score(
            context.format(question=question, answer=answer),
            ask.format(name=competency.name.lower()),
            [competency.anchors[level] for level in range(1, 6)],
        )


def softmax(values: Sequence[float]) -> list[float]:
    """Return probabilities proportional to exp(value)."""
    highest = max(values)
    weights = [math.exp(value - highest) for value in values]
    return [weight / sum(weights) for weight in weights]
