"""A causal language model through transformers: weighs continuations, writes JSON under a grammar (xgrammar).

Greedy and in fixed batches, so the same call gives the same answer. A context's keys and values are computed once for
an interview, a question's once for all options of a `score` call, which go through the model as one batch.
"""

import gc
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import transformers.modeling_layers  # noqa: F401 — what every model class imports, 2 s; else the first load does
import xgrammar
from torch.nn.functional import log_softmax
from xgrammar.contrib.hf import LogitsProcessor

from deployments.backends import LoadProgress
from deployments.backends.assessor.gguf import read_model
from deployments.backends.assessor.injection_tagger import MODEL as TAGGER_WEIGHTS
from deployments.backends.assessor.injection_tagger import InjectionTagger
from deployments.backends.assessor.prefix_cache import Prefixes
from deployments.backends.failures import job_failures
from deployments.backends.progress import Pulse, pulsing
from deployments.weights import Weights
from serve_app.errors import InferenceFailed
from serve_app.pipeline.assessment.assess import assess
from serve_app.pipeline.assessment.ports import WordTags
from serve_app.pipeline.ports import Progress
from serve_app.pipeline.types import Assessment, AssessmentRequest, TokenUsage


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
        self._tagger = InjectionTagger()
        self._prefixes = Prefixes()
        self._usage = TokenUsage()
        self._pulse = Pulse(lambda _: None)  # of the call at work; there is one at a time

    def weight_bytes(self) -> int:
        """See `Backend.weight_bytes`."""
        return self._weights.size() + TAGGER_WEIGHTS.size()

    def load(self, progress: LoadProgress) -> None:
        """See `Backend.load`. The first load of a GGUF file on a machine unpacks it for all later ones."""
        if self._model is not None:
            return
        path, total = self._weights.locate(), self.weight_bytes()
        progress(0, total)
        if self.device == "cpu":
            torch.set_num_threads(os.cpu_count() or 1)
        with job_failures(self.name):
            self._tokenizer, self._model = read_model(path, self.device)
            self._tagger.load()
            vocabulary = xgrammar.TokenizerInfo.from_huggingface(
                self._tokenizer, vocab_size=self._model.config.vocab_size
            )
            self._compiler = xgrammar.GrammarCompiler(vocabulary)
        progress(total, total)

    def unload(self) -> None:
        """See `Backend.unload`."""
        self._model = self._tokenizer = self._compiler = None
        self._tagger.unload()
        self._prefixes.forget()
        gc.collect()
        if self.device != "cpu":
            torch.cuda.empty_cache()

    def assess(self, request: AssessmentRequest, progress: Progress) -> Assessment:
        """See `AssessorBackend.assess`."""
        self._usage = TokenUsage()
        try:
            with pulsing(progress) as self._pulse:
                return replace(assess(request, self, self, self._pulse), usage=self._usage)
        finally:
            self._prefixes.forget()

    def tag_words(self, sentences: Sequence[Sequence[str]]) -> list[list[WordTags]]:
        """See `WordTagger.tag_words`."""
        with job_failures(self.name):
            return self._tagger.tag_words(sentences, self._pulse.beat)

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
        self._pulse.beat()
        asked, (tokens, lengths) = self._ids(ask), self._padded(options)
        cache = self._read_once(self._ids(context), asked.shape[1] + int(lengths.sum()))
        seen = self._model(asked, past_key_values=cache, use_cache=True, logits_to_keep=1)
        first = log_softmax(seen.logits[:, -1].float(), dim=-1)[0, tokens[:, 0]]
        cache = seen.past_key_values
        cache.batch_repeat_interleave(len(options))
        logits = self._model(tokens[:, :-1], past_key_values=cache).logits.float()
        rest = log_softmax(logits, dim=-1).gather(2, tokens[:, 1:, None])[..., 0]
        inside = torch.arange(1, tokens.shape[1], device=rest.device)[None] < lengths[:, None]
        mean = (first + (rest * inside).sum(1)) / lengths
        return [float(value) for value in mean]

    def _continue(self, context: str, ask: str, schema: str, max_tokens: int) -> str:
        """The likeliest text that the schema's grammar allows, token by token."""
        chat = [{"role": "user", "content": context + ask}]
        text = self._tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        cut = text.index(context) + len(context) if context else 0
        first, rest = self._ids(text[:cut]), self._ids(text[cut:])
        asked = torch.cat((first, rest), dim=1)
        grammar = self._compiler.compile_json_schema(schema, any_whitespace=False)
        answer = self._model.generate(
            asked,
            attention_mask=torch.ones_like(asked),
            past_key_values=self._read_once(first, rest.shape[1]),
            max_new_tokens=max_tokens,
            do_sample=False,
            logits_processor=[LogitsProcessor(grammar), self._between_tokens],
            pad_token_id=self._tokenizer.eos_token_id,
        )[0, asked.shape[1] :]
        self._usage += TokenUsage(completion_tokens=len(answer))
        return str(self._tokenizer.decode(answer, skip_special_tokens=True))

    def _between_tokens(self, _: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self._pulse.beat()
        return scores

    def _read_once(self, context: torch.Tensor, others: int) -> Any:
        """Keys and values of `context`, computed or remembered; counted with the `others` tokens of one call."""
        cache, known = self._prefixes.after(context, self._read)
        length = context.shape[1]
        self._usage += TokenUsage(1, length + others, length if known else 0)
        return cache

    def _read(self, tokens: torch.Tensor) -> Any:
        return self._model(tokens, use_cache=True, logits_to_keep=1).past_key_values

    def _padded(self, options: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens of the options, shape (options, longest), padded on the right, and their lengths.

        Padding needs no mask: in a causal model nothing before it can see it.
        """
        ids = [self._ids(option)[0] for option in options]
        lengths = torch.tensor([len(tokens) for tokens in ids], device=self.device)
        return torch.nn.utils.rnn.pad_sequence(ids, batch_first=True), lengths

    def _ids(self, text: str) -> torch.Tensor:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False).input_ids
        return torch.tensor([ids], dtype=torch.long, device=self.device)
