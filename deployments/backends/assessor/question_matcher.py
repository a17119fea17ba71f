"""Tells which competencies an interviewer's question asks for.

MiniLM, 22 million parameters, unchanged, gives each question a vector. For competencies with example questions, a
linear classifier decides. Any other competency is compared by its own texts: it is asked for where it is near the
question, and nearer than the other competencies of its rubric. `scripts/training/question_matcher.py` trains both.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import torch
from safetensors import safe_open
from transformers import AutoTokenizer, BertModel

from deployments.backends.assessor.injection_tagger import ENCODER
from serve_app.pipeline.types import Competency
from serve_app.settings import Paths

BATCH = 32
MAX_TOKENS = 256
"""Length that the encoder was trained on. The longest question has about 80."""
LEARNT, COMPARED = 0.2, 0.4
"""Probability from which a question asks for a competency that was learnt, or that is compared."""
TYPICAL_RIVAL = 0.41
"""Mean cosine of a question with the nearest other competency of a rubric. It stands in where a rubric has only one."""
MAX_KEPT = 1000
"""Competencies whose vectors are kept, 2 KB each."""


class QuestionMatcher:
    """Runs on the processor. See `serve_app.pipeline.assessment.ports.QuestionMatcher`.

    The trained file (`Paths.question_matcher_file`) holds `weight`, shape (competencies + 1, width), and `bias` of the
    classifier, whose last class is any other question, and `compared`, the weights and the bias of `likeness`. Its
    metadata names the competencies that were learnt (`identity`).
    """

    def __init__(self) -> None:
        self._encoder: QuestionEncoder | None = None
        self._weights: dict[str, torch.Tensor] = {}
        self._learnt: list[str] = []

    def load(self) -> None:
        """Read the encoder and the weights. Does nothing when loaded. Raises `WeightsUnavailable`."""
        if self._encoder is not None:
            return
        with safe_open(Paths().question_matcher_file, "pt") as file:
            self._weights = {name: file.get_tensor(name) for name in ("weight", "bias", "compared")}
            self._learnt = json.loads(file.metadata()["learnt"])
        self._encoder = QuestionEncoder()

    def unload(self) -> None:
        """Release the memory."""
        self._encoder = None

    @torch.inference_mode()
    def match(
        self, competencies: Sequence[Competency], questions: Sequence[str], between: Callable[[], None]
    ) -> list[list[bool | None]]:
        """See `ports.QuestionMatcher.match`. Calls `between` before each batch; it may raise to stop the work."""
        if self._encoder is None:
            raise RuntimeError("the question matcher was asked before it was loaded")
        if not questions:
            return []
        asked = self._encoder.vectors(questions, between)
        classes = torch.softmax(asked @ self._weights["weight"].T + self._weights["bias"], 1)
        compared = compare(asked, self._encoder.competencies(competencies), self._weights["compared"])
        columns: list[list[bool | None]] = []
        for at, own in enumerate(map(identity, competencies)):
            if own in self._learnt:
                columns.append((classes[:, self._learnt.index(own)] >= LEARNT).tolist())
            else:
                columns.append([True if chance >= COMPARED else None for chance in compared[:, at].tolist()])
        return [list(row) for row in zip(*columns, strict=True)]


class QuestionEncoder:
    """Vectors of questions and competencies, each of length 1: the mean over a text's tokens."""

    def __init__(self) -> None:
        folder = ENCODER.locate()
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model: Any = BertModel.from_pretrained(folder, local_files_only=True)
        self._model = model.requires_grad_(requires_grad=False).eval()
        self._kept: dict[tuple[str, ...], torch.Tensor] = {}

    def vectors(self, texts: Sequence[str], between: Callable[[], None] = lambda: None) -> torch.Tensor:
        """Return the vectors of texts, shape (texts, width)."""
        ordered = sorted(set(texts), key=lambda text: (len(text), text))
        found: dict[str, torch.Tensor] = {}
        for start in range(0, len(ordered), BATCH):
            between()
            batch = ordered[start : start + BATCH]
            found.update(zip(batch, self._batch(batch), strict=True))
        return torch.stack([found[text] for text in texts])

    @torch.inference_mode()
    def _batch(self, texts: Sequence[str]) -> torch.Tensor:
        tokens = self._tokenizer(texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        mask = tokens["attention_mask"][..., None]
        means = (self._model(**tokens).last_hidden_state * mask).sum(1) / mask.sum(1)
        return _unit(means)

    def competencies(self, competencies: Sequence[Competency]) -> torch.Tensor:
        """Return a vector of each competency, shape (competencies, width). They are kept: rubrics come again."""
        texts = [texts_of(competency) for competency in competencies]
        if len(self._kept) > MAX_KEPT:
            self._kept.clear()
        for own in texts:
            if own not in self._kept:
                head, question, *anchors = self.vectors(own)
                self._kept[own] = torch.stack([head, question, _unit(torch.stack(anchors).mean(0))]).mean(0)
        return _unit(torch.stack([self._kept[own] for own in texts]))


def texts_of(competency: Competency) -> tuple[str, ...]:
    """Name with description, an example of a question, and the anchors of levels 2 to 5."""
    anchors = (competency.anchors[level] for level in range(2, 6))
    return f"{competency.name}. {competency.description}", competency.probe or competency.description, *anchors


def likeness(questions: torch.Tensor, competencies: torch.Tensor) -> torch.Tensor:
    """Cosine of each question with each competency, and its lead over the nearest other competency of the rubric.

    Returns shape (questions, competencies, 2).
    """
    cosines = questions @ competencies.T
    count = cosines.shape[1]
    others = cosines[:, None, :].masked_fill(torch.eye(count, dtype=torch.bool), -1.0).max(-1).values
    rival = others if count > 1 else torch.full_like(cosines, TYPICAL_RIVAL)
    return torch.stack((cosines, cosines - rival), -1)


def compare(questions: torch.Tensor, competencies: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Probability that each question asks for each competency of a rubric, shape (questions, competencies)."""
    return torch.sigmoid(likeness(questions, competencies) @ weights[:2] + weights[2])


def identity(competency: Competency) -> str:
    """What a competency that was learnt is known by. Its slug may differ."""
    return f"{competency.name}: {competency.description}"


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1)
