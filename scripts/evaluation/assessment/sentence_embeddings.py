"""Baseline: similarity of sentence embeddings (all-MiniLM-L6-v2)."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModel, AutoTokenizer

from deployments.backends.assessor.injection_tagger import ENCODER
from scripts.evaluation.assessment.rated_answers import RatedAnswer

BATCH = 64
MAX_TOKENS = 256
"""Length that the model was trained on."""


def similarities(answers: Sequence[RatedAnswer]) -> list[float]:
    """Return the cosine between each answer and its reference. Raises `WeightsUnavailable`."""
    vectors = _embed(text for answer in answers for text in (answer.answer, answer.reference))
    return [float(vectors[answer.answer] @ vectors[answer.reference]) for answer in answers]


def _embed(texts: Iterable[str]) -> dict[str, npt.NDArray[np.float32]]:
    """Return a vector of length 1 per text, the mean over its tokens. Shape (384,), float32."""
    path = ENCODER.locate()
    tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path)
    vectors: dict[str, npt.NDArray[np.float32]] = {}
    ordered = sorted(set(texts), key=len)
    for start in range(0, len(ordered), BATCH):
        batch = ordered[start : start + BATCH]
        vectors.update(zip(batch, _vectors(tokenizer, model, batch), strict=True))
    return vectors


@torch.inference_mode()
def _vectors(tokenizer: Any, model: Any, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    tokens = tokenizer(texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
    mask = tokens["attention_mask"][..., None]
    mean = (model(**tokens).last_hidden_state * mask).sum(1) / mask.sum(1)
    vectors: npt.NDArray[np.float32] = torch.nn.functional.normalize(mean, dim=1).numpy()
    return vectors
