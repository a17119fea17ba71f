"""A causal language model through transformers: weighs continuations, writes JSON under a grammar (xgrammar).

Greedy and in fixed batches, so the same call gives the same answer. A prompt's keys and values are computed once and
shared by all options of a `score` call, which go through the model as one batch.
"""

import gc
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers.modeling_layers  # noqa: F401 — what every model class imports, 2 s; else the first load does
import xgrammar
from torch.nn.functional import log_softmax
from transformers import AutoModelForCausalLM, AutoTokenizer
from xgrammar.contrib.hf import LogitsProcessor

from deployments.backends import LoadProgress
from deployments.backends.failures import job_failures
from deployments.backends.unpacked import folder_of, read_gguf
from deployments.weights import Weights
from serve_app.errors import InferenceFailed
from serve_app.pipeline.assessment import assess
from serve_app.pipeline.ports import Progress
from serve_app.pipeline.types import Assessment, AssessmentRequest


class TransformersLLM:
    """A language model in this process. See `AssessorBackend` and `Weigher`.

    Options: `device` is `auto`, `cpu` or `cuda`; `writes_prose` says whether the model's free text may be shown.
    """

    def __init__(
        self, *, name: str, weights: dict[str, Weights], device: str = "auto", writes_prose: bool = False
    ) -> None:
        self.name = name
        self.writes_prose = writes_prose
        self.device = "cuda:0" if device != "cpu" and torch.cuda.is_available() else "cpu"
        self._weights = weights["model"]
        self._model: Any = None
        self._tokenizer: Any = None
        self._compiler: Any = None

    def weight_bytes(self) -> int:
        """See `Backend.weight_bytes`."""
        return self._weights.size()

    def load(self, progress: LoadProgress) -> None:
        """See `Backend.load`. The first load of a GGUF file on a machine unpacks it for all later ones."""
        if self._model is not None:
            return
        path, total = self._weights.locate(), self.weight_bytes()
        progress(0, total)
        if self.device == "cpu":
            torch.set_num_threads(os.cpu_count() or 1)
        with job_failures(self.name):
            self._tokenizer, self._model = _read(path, self.device)
            vocabulary = xgrammar.TokenizerInfo.from_huggingface(
                self._tokenizer, vocab_size=self._model.config.vocab_size
            )
            self._compiler = xgrammar.GrammarCompiler(vocabulary)
        progress(total, total)

    def unload(self) -> None:
        """See `Backend.unload`."""
        self._model = self._tokenizer = self._compiler = None
        gc.collect()
        if self.device != "cpu":
            torch.cuda.empty_cache()

    def assess(self, request: AssessmentRequest, progress: Progress) -> Assessment:
        """See `AssessorBackend.assess`."""
        return assess(request, self, progress)

    def score(self, prompt: str, options: Sequence[str]) -> list[float]:
        """See `Weigher.score`."""
        with job_failures(self.name), torch.inference_mode():
            return self._weigh(prompt, options)

    def write(self, prompt: str, schema: dict[str, Any], max_tokens: int) -> dict[str, Any]:
        """See `LanguageModel.write`. Raises `InferenceFailed` when the object does not end within `max_tokens`."""
        with job_failures(self.name), torch.inference_mode():
            text = self._continue(prompt, json.dumps(schema), max_tokens)
        try:
            written: dict[str, Any] = json.loads(text)
        except json.JSONDecodeError:
            raise InferenceFailed("The assessor's answer did not end in time.") from None
        return written

    def _weigh(self, prompt: str, options: Sequence[str]) -> list[float]:
        seen = self._model(self._ids(prompt), use_cache=True, logits_to_keep=1)
        tokens, lengths = self._padded(options)
        first = log_softmax(seen.logits[:, -1].float(), dim=-1)[0, tokens[:, 0]]
        cache = seen.past_key_values
        cache.batch_repeat_interleave(len(options))
        logits = self._model(tokens[:, :-1], past_key_values=cache).logits.float()
        rest = log_softmax(logits, dim=-1).gather(2, tokens[:, 1:, None])[..., 0]
        inside = torch.arange(1, tokens.shape[1], device=rest.device)[None] < lengths[:, None]
        mean = (first + (rest * inside).sum(1)) / lengths
        return [float(value) for value in mean]

    def _continue(self, prompt: str, schema: str, max_tokens: int) -> str:
        """The likeliest text that the schema's grammar allows, token by token."""
        chat = [{"role": "user", "content": prompt}]
        asked = self._tokenizer.apply_chat_template(
            chat, add_generation_prompt=True, return_dict=True, return_tensors="pt"
        )
        grammar = self._compiler.compile_json_schema(schema, any_whitespace=False)
        length = asked["input_ids"].shape[1]
        answer = self._model.generate(
            **asked.to(self.device),
            max_new_tokens=max_tokens,
            do_sample=False,
            logits_processor=[LogitsProcessor(grammar)],
            pad_token_id=self._tokenizer.eos_token_id,
        )
        return str(self._tokenizer.decode(answer[0, length:], skip_special_tokens=True))

    def _padded(self, options: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens of the options, shape (options, longest), padded on the right, and their lengths.

        Padding needs no mask: in a causal model nothing before it can see it.
        """
        ids = [self._ids(option)[0] for option in options]
        lengths = torch.tensor([len(tokens) for tokens in ids], device=self.device)
        return torch.nn.utils.rnn.pad_sequence(ids, batch_first=True), lengths

    def _ids(self, text: str) -> torch.Tensor:
        ids: torch.Tensor = self._tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
        return ids.to(self.device)


def _read(path: Path, device: str) -> tuple[Any, Any]:
    """Tokenizer and model of a folder, or of one GGUF file."""
    folder = folder_of(path) if path.suffix == ".gguf" else path
    if folder is None:
        tokenizer, model = read_gguf(path, device)
    else:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, dtype=torch.bfloat16, device_map=device
        )
    model.requires_grad_(requires_grad=False)  # from_pretrained has set evaluation mode
    model(torch.zeros((1, 1), dtype=torch.long, device=device))  # mapped weights are only now in memory
    return tokenizer, model
