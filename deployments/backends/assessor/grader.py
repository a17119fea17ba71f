"""The grader: how likely an answer reaches each level of a competency, and which sentences speak for it.

MiniLM, 22 million parameters, with low-rank updates of its layers (LoRA, Hu et al. 2021), reads the question with the
answer, and each anchor. The anchors of levels 2 to 5 then attend to the answer's tokens. So an answer is read once for
any rubric (late interaction, Khattab and Zaharia 2020). Each output is the probability that the answer is at that level
or above, as in ordinal regression. `scripts/training/grader.py` trains it.
"""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn
from transformers import AutoTokenizer, BertModel

from deployments.backends import LoadProgress
from deployments.backends.assessor.injection_tagger import ENCODER
from deployments.backends.failures import job_failures
from deployments.backends.progress import ProgressReporter
from serve_app.errors import InferenceFailed
from serve_app.pipeline.assessment.ports import Grade
from serve_app.pipeline.types import Competency, Fitness, TokenUsage
from serve_app.settings import Paths

LEVELS = (2, 3, 4, 5)
"""Levels with an output. Level 1 is what reaches none of them."""
MAX_TOKENS, MAX_ANCHOR_TOKENS = 384, 96
"""Longest question with its answer (a passage of 240 words has about 320) and longest anchor that are read whole."""
WIDTH, HEADS, HIDDEN = 384, 4, 128


class GraderHead(nn.Module):
    """Anchors attend to an answer's tokens; what they find there gives their logits."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.hidden, self.output = nn.Linear(2 * WIDTH, HIDDEN), nn.Linear(HIDDEN, 1)
        self.bias = nn.Parameter(torch.tensor([1.5, 0.5, -0.5, -1.5]))
        self.dropout = nn.Dropout(0.1)

    def forward(
        self, tokens: torch.Tensor, mask: torch.Tensor, anchors: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits, shape (answers, 4), and attention, shape (answers, 4, tokens).

        Takes states of the answers' tokens, shape (answers, tokens, width), their mask, and the anchors, shape
        (answers, 4, width).
        """
        count, length, _ = tokens.shape
        shape = (count, -1, HEADS, WIDTH // HEADS)
        query, key, value = (x.reshape(shape).transpose(1, 2) for x in (self.query(anchors), self.key(tokens), tokens))
        scores = query @ key.transpose(-1, -2) / math.sqrt(WIDTH // HEADS)
        attention = scores.masked_fill(mask[:, None, None, :length] == 0, -1e4).softmax(-1)
        found = (attention @ value).transpose(1, 2).reshape(count, len(LEVELS), WIDTH)
        both = self.dropout(torch.cat((found, found * anchors), dim=-1))
        hidden = self.dropout(nn.functional.gelu(self.hidden(both)))
        return self.output(hidden).squeeze(-1) + self.bias, attention.mean(1)


class Grader:
    """A model that grades and writes nothing. See `SessionModel`.

    The trained file (`Paths.grader_file`) holds the head's tensors under `head.`, and for each linear map NAME of the
    encoder the factors `NAME.down`, shape (rank, in), and `NAME.up`, shape (out, rank); all float16. Its metadata name
    the temperature that calibrates the outputs and the figures that the grader was measured at.
    """

    device = "cpu"

    def __init__(self, *, name: str, file: Path | None = None) -> None:
        self.name = name
        self._file = file or Paths().grader_file
        self.fitness = Fitness()
        self._temperature = 1.0
        self._tokenizer: Any = None
        self._encoder: Any = None
        self._head: Any = None
        self._anchors: dict[tuple[str, ...], torch.Tensor] = {}

    def weight_bytes(self) -> int:
        """See `Loadable.weight_bytes`."""
        return ENCODER.size()

    def load(self, progress: LoadProgress) -> None:
        """See `Loadable.load`."""
        if self._encoder is not None:
            return
        torch.set_num_threads(os.cpu_count() or 1)
        with job_failures(self.name), safe_open(self._file, "pt") as file:
            folder, metadata = ENCODER.locate(), file.metadata()
            trained = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 — no mapping
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            encoder: Any = BertModel.from_pretrained(folder, local_files_only=True).requires_grad_(requires_grad=False)
            head = GraderHead().eval().requires_grad_(requires_grad=False)
            head.load_state_dict({name[5:]: tensor for name, tensor in trained.items() if name.startswith("head.")})
            for name in (name[:-3] for name in trained if name.endswith(".up")):
                encoder.get_submodule(name).weight += trained[f"{name}.up"] @ trained[f"{name}.down"]
        self._temperature = float(metadata["temperature"])
        self.fitness = Fitness(**json.loads(metadata["fitness"]))
        self._encoder, self._head = encoder.eval(), head
        progress(self.weight_bytes(), self.weight_bytes())

    def unload(self) -> None:
        """See `Loadable.unload`."""
        self._tokenizer = self._encoder = self._head = None
        self._anchors.clear()

    def session(self, progress: ProgressReporter) -> "GraderSession":
        """See `SessionModel.session`."""
        if self._encoder is None:
            raise InferenceFailed(f"{self.name} was asked to assess before it was loaded.")
        return GraderSession(self, progress)

    @torch.inference_mode()
    def grade(self, competency: Competency, question: str, sentences: Sequence[str]) -> Grade:
        """See `AnswerGrader.grade`. Safe for several threads."""
        encoded = read(self._tokenizer, [(competency.name, question)], [" ".join(sentences)])
        offsets = encoded.pop("offset_mapping")[0].tolist()
        states = self._encoder(**encoded).last_hidden_state
        logits, attention = self._head(states, encoded["attention_mask"], self._vectors(competency))
        inside = [at for at, sequence in enumerate(encoded.sequence_ids(0)) if sequence == 1]
        shares = [[0.0] * len(sentences) for _ in LEVELS]
        starts = [sum(len(text) + 1 for text in sentences[:number]) for number in range(len(sentences))]
        for at in inside:
            owner = sum(start <= offsets[at][0] for start in starts) - 1
            for level in range(len(LEVELS)):
                shares[level][owner] += float(attention[0, level, at])
        chances = torch.sigmoid(logits[0].double() / self._temperature).tolist()
        return Grade(
            tuple(round(chance, 4) for chance in chances), tuple(map(tuple, shares)), len(encoded["input_ids"][0])
        )

    def _vectors(self, competency: Competency) -> torch.Tensor:
        """Vectors of the anchors, shape (1, 4, width). They are kept: a rubric asks every interview the same."""
        texts = anchor_texts(competency)
        if texts not in self._anchors:
            if len(self._anchors) >= MAX_KEPT:
                self._anchors.clear()
            tokens = read_anchors(self._tokenizer, texts)
            self._anchors[texts] = mean_states(self._encoder(**tokens).last_hidden_state, tokens["attention_mask"])[
                None
            ]
        return self._anchors[texts]


MAX_KEPT = 500
"""Competencies whose anchors are kept, 6 KB each."""


class GraderSession:
    """One assessment with the grader. See `assessor.GradingSession`."""

    def __init__(self, grader: Grader, progress: ProgressReporter) -> None:
        self.name, self.fitness = grader.name, grader.fitness
        self.usage = TokenUsage()
        self._grader, self._progress = grader, progress

    def grade(self, competency: Competency, question: str, sentences: Sequence[str]) -> Grade:
        """See `AnswerGrader.grade`."""
        self._progress.repeat()
        with job_failures(self.name):
            grade = self._grader.grade(competency, question, sentences)
        self.usage += TokenUsage(1, grade.tokens)
        return grade

    def close(self) -> None:
        """See `assessor.Session.close`. Nothing of an interview is kept."""


def anchor_texts(competency: Competency) -> tuple[str, ...]:
    """The anchors of levels 2 to 5, each with the competency's name."""
    return tuple(f"{competency.name}. {competency.anchors[level]}" for level in LEVELS)


def read(tokenizer: Any, asked: Sequence[tuple[str, str]], answers: Sequence[str]) -> Any:
    """Tokens of each (competency, question) with its answer, and the place of each token in its text."""
    return tokenizer(
        [f"{name}. {question}" for name, question in asked], list(answers), padding=True, truncation="only_second",
        max_length=MAX_TOKENS, return_offsets_mapping=True, return_tensors="pt",
    )  # fmt: skip


def read_anchors(tokenizer: Any, texts: Sequence[str]) -> Any:
    """Tokens of anchors."""
    return tokenizer(list(texts), padding=True, truncation=True, max_length=MAX_ANCHOR_TOKENS, return_tensors="pt")


def mean_states(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over each text's tokens, shape (texts, width)."""
    inside = mask[..., None]
    vectors: torch.Tensor = (states * inside).sum(1) / inside.sum(1)
    return vectors
