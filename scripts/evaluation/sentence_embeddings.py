"""Sentence embeddings (all-MiniLM-L6-v2), a baseline that a judge has to beat."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModel, AutoTokenizer

from deployments.backends.assessor.injection_tagger import ENCODER
from scripts.evaluation.rated_answers import Rated

BATCH = 64
LONGEST = 256
"""Tokens, as the model was trained."""


def similarities(rated: Sequence[Rated]) -> list[float]:
    """Cosine of the embeddings of each answer and its reference. Raises `WeightsUnavailable`."""
    vectors = _embedded(text for one in rated for text in (one.answer, one.reference))
    return [float(vectors[one.answer] @ vectors[one.reference]) for one in rated]


def _embedded(texts: Iterable[str]) -> dict[str, npt.NDArray[np.float32]]:
    """Each text's vector of length 1, the mean over its tokens."""
    path = ENCODER.locate()
    tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path)
    found: dict[str, npt.NDArray[np.float32]] = {}
    ordered = sorted(set(texts), key=len)
    for start in range(0, len(ordered), BATCH):
        batch = ordered[start : start + BATCH]
        found.update(zip(batch, _vectors(tokenizer, model, batch), strict=True))
    return found


@torch.inference_mode()
def _vectors(tokenizer: Any, model: Any, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    read = tokenizer(texts, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt")
    inside = read["attention_mask"][..., None]
    mean = (model(**read).last_hidden_state * inside).sum(1) / inside.sum(1)
    vectors: npt.NDArray[np.float32] = torch.nn.functional.normalize(mean, dim=1).numpy()
    return vectors
