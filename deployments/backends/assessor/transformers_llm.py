"""A causal language model through transformers: weighs continuations, and writes JSON under a grammar (xgrammar).

Decoding is greedy and in fixed batches, so the same call gives the same answer. The keys and values of a context are
computed once per interview, those of a question once for all options of a `score` call, which run as one batch.
"""

import gc
import json
import os
from collections.abc import Sequence
from typing import Any

import torch
import transformers.modeling_layers  # noqa: F401 — every model class imports it, 2 s; otherwise the first load does
import xgrammar
from torch.nn.functional import log_softmax
from xgrammar.contrib.hf import LogitsProcessor

from deployments.backends import LoadProgress
from deployments.backends.assessor.gguf import load_model
from deployments.backends.assessor.prefix_cache import PrefixCache
from deployments.backends.failures import job_failures
from deployments.backends.progress import ProgressReporter
from deployments.weights import Weights
from serve_app.errors import InferenceFailed
from serve_app.pipeline.types import TokenUsage


class TransformersLLM:
    """A language model in this process. See `assessor.SessionModel`.

    Options: `device` is `auto`, `cpu` or `cuda`; `writes_prose` says whether the model's free text may be shown.
    """

    def __init__(
        self, *, name: str, weights: dict[str, Weights], device: str = "auto", writes_prose: bool = False
    ) -> None:
        self.name = name
        self.writes_prose = writes_prose
        self.device = "cuda:0" if device != "cpu" and torch.cuda.is_available() else "cpu"
        self._weights = weights["model"]
        self.model: Any = None
        self.tokenizer: Any = None
        self.compiler: Any = None
        """Compiles JSON schemas to grammars over the tokenizer's vocabulary."""

    def weight_bytes(self) -> int:
        """See `Loadable.weight_bytes`."""
        return self._weights.size()

    def load(self, progress: LoadProgress) -> None:
        """See `Loadable.load`. The first load of a GGUF file on a machine unpacks it for all later loads."""
        if self.model is not None:
            return
        path, total = self._weights.locate(), self.weight_bytes()
        progress(0, total)
        if self.device == "cpu":
            torch.set_num_threads(os.cpu_count() or 1)
        with job_failures(self.name):
            self.tokenizer, self.model = load_model(path, self.device)
            vocabulary = xgrammar.TokenizerInfo.from_huggingface(
                self.tokenizer, vocab_size=self.model.config.vocab_size
            )
            self.compiler = xgrammar.GrammarCompiler(vocabulary)
        progress(total, total)

    def unload(self) -> None:
        """See `Loadable.unload`."""
        self.model = self.tokenizer = self.compiler = None
        gc.collect()
        if self.device != "cpu":
            torch.cuda.empty_cache()

    def session(self, progress: ProgressReporter) -> "TransformersSession":
        """See `SessionModel.session`."""
        if self.model is None:
            raise InferenceFailed(f"{self.name} was asked to assess before it was loaded.")
        return TransformersSession(self, progress)


class TransformersSession:
    """One assessment with the model. See `Weigher` and `assessor.Session`."""

    def __init__(self, llm: TransformersLLM, progress: ProgressReporter) -> None:
        self.name, self.writes_prose = llm.name, llm.writes_prose
        self.usage = TokenUsage()
        self._llm, self._progress = llm, progress
        self._prefixes = PrefixCache()

    def close(self) -> None:
        """See `assessor.Session.close`."""
        self._prefixes.clear()

    def score(self, context: str, ask: str, options: Sequence[str]) -> list[float]:
        """See `Weigher.score`."""
        with job_failures(self.name), torch.inference_mode():
            return self._weigh(context, ask, options)

    def write(self, context: str, ask: str, schema: dict[str, Any], max_tokens: int) -> dict[str, Any]:
        """See `LanguageModel.write`. Raises `InferenceFailed` when the object does not end within `max_tokens`."""
        with job_failures(self.name), torch.inference_mode():
            text = self._continue(context, ask, json.dumps(schema), max_tokens)
        try:
            written: dict[str, Any] = json.loads(text)
        except json.JSONDecodeError:
            raise InferenceFailed("The assessor's answer did not end in time.") from None
        return written

    def _weigh(self, context: str, ask: str, options: Sequence[str]) -> list[float]:
        self._progress.repeat()
        question, (tokens, lengths) = self._ids(ask), self._padded(options)
        cache = self._cached(self._ids(context), question.shape[1] + int(lengths.sum()))
        output = self._llm.model(question, past_key_values=cache, use_cache=True, logits_to_keep=1)
        first = log_softmax(output.logits[:, -1].float(), dim=-1)[0, tokens[:, 0]]
        cache = output.past_key_values
        cache.batch_repeat_interleave(len(options))
        logits = self._llm.model(tokens[:, :-1], past_key_values=cache).logits.float()
        rest = log_softmax(logits, dim=-1).gather(2, tokens[:, 1:, None])[..., 0]
        inside = torch.arange(1, tokens.shape[1], device=rest.device)[None] < lengths[:, None]
        mean = (first + (rest * inside).sum(1)) / lengths
        return [float(value) for value in mean]

    def _continue(self, context: str, ask: str, schema: str, max_tokens: int) -> str:
        """The likeliest text that the schema's grammar allows, token by token."""
        chat = [{"role": "user", "content": context + ask}]
        text = self._llm.tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        cut = text.index(context) + len(context) if context else 0
        first, rest = self._ids(text[:cut]), self._ids(text[cut:])
        prompt = torch.cat((first, rest), dim=1)
        grammar = self._llm.compiler.compile_json_schema(schema, any_whitespace=False)
        answer = self._llm.model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            past_key_values=self._cached(first, rest.shape[1]),
            max_new_tokens=max_tokens,
            do_sample=False,
            logits_processor=[LogitsProcessor(grammar), self._between_tokens],
            pad_token_id=self._llm.tokenizer.eos_token_id,
        )[0, prompt.shape[1] :]
        self.usage += TokenUsage(completion_tokens=len(answer))
        return str(self._llm.tokenizer.decode(answer, skip_special_tokens=True))

    def _between_tokens(self, _: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self._progress.repeat()
        return scores

    def _cached(self, context: torch.Tensor, others: int) -> Any:
        """Keys and values of `context`, computed or cached; counts the usage of a call with `others` more tokens."""
        cache, hit = self._prefixes.get(context, self._read)
        length = context.shape[1]
        self.usage += TokenUsage(1, length + others, length if hit else 0)
        return cache

    def _read(self, tokens: torch.Tensor) -> Any:
        return self._llm.model(tokens, use_cache=True, logits_to_keep=1).past_key_values

    def _padded(self, options: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens of the options, shape (options, longest), padded on the right, and their lengths.

        Padding needs no mask: in a causal model no earlier token can see it.
        """
        ids = [self._ids(option)[0] for option in options]
        lengths = torch.tensor([len(tokens) for tokens in ids], device=self._llm.device)
        return torch.nn.utils.rnn.pad_sequence(ids, batch_first=True), lengths

    def _ids(self, text: str) -> torch.Tensor:
        ids: list[int] = self._llm.tokenizer(text, add_special_tokens=False).input_ids
        return torch.tensor([ids], dtype=torch.long, device=self._llm.device)
