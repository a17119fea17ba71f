"""A language model out of a GGUF file, on the processor: llama.cpp in this process, the file mapped as it is.

Weighs given continuations, answers yes/no questions by log-odds, and writes JSON under a grammar (xgrammar). A text is
read in blocks of BLOCK tokens that start at fixed places, and blocks are reused only as a whole. So the same call gives
the same answer to the last bit, whatever was read before.
"""

import gc
import json
import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2.sandbox
import numpy as np
import xgrammar
from numpy.typing import NDArray

from deployments.backends import LoadProgress
from deployments.backends.assessor.libllama import Llama
from deployments.backends.failures import job_failures
from deployments.backends.progress import ProgressReporter
from deployments.weights import Weights
from serve_app.errors import InferenceFailed, WeightsUnavailable
from serve_app.pipeline.types import TokenUsage

BLOCK = 64
"""Tokens. Blocks of 128 are read 1 in 10 faster, but half a block more is read again for each new text."""
MAX_STATES_BYTES = 256 << 20
"""Size limit of the kept texts: about 9,000 tokens of a 1.5B model (28 KB each), 1,800 of a 4B one."""
PREAMBLES = 4
"""Preambles kept between assessments."""
YES, NO = ("Yes", "yes"), ("No", "no")
USER_TEXT = "\u2042"
"""Stands for the user's text while the chat template is rendered."""


class LlamaCpp:
    """A GGUF model in this process. See `assessor.SessionModel`.

    Options: `context_tokens` is the longest prompt with its answer; `threads` 0 uses every core this process may use;
    `writes_prose` says whether the model's free text may be shown.
    """

    device = "cpu"

    def __init__(
        self,
        *,
        name: str,
        weights: dict[str, Weights],
        context_tokens: int = 4096,
        threads: int = 0,
        writes_prose: bool = False,
    ) -> None:
        self.name, self.writes_prose = name, writes_prose
        self.context_tokens = context_tokens
        self._weights, self._threads = weights["model"], threads or len(os.sched_getaffinity(0))
        self.llama: Llama | None = None
        self.compiler: Any = None
        """Compiles JSON schemas to grammars over the model's vocabulary."""
        self.turn: tuple[list[int], list[int]] = ([], [])
        """Tokens of the chat template before and after the user's text."""
        self.preambles = States(PREAMBLES)

    def weight_bytes(self) -> int:
        """See `Loadable.weight_bytes`."""
        return self._weights.size()

    def load(self, progress: LoadProgress) -> None:
        """See `Loadable.load`."""
        if self.llama is not None:
            return
        total = self.weight_bytes()
        progress(0, total)
        file = gguf_file(self._weights.locate())
        with job_failures(self.name):
            llama = Llama(file, self.context_tokens, self._threads, lambda share: progress(int(share * total), total))
            try:
                self.turn = chat_turn(llama)
                self.compiler = grammar_compiler(llama)
                llama.read(llama.tokens("yes"))  # reserves the working memory
                llama.clear()
            except BaseException:
                llama.close()
                raise
        self.llama = llama
        progress(total, total)

    def unload(self) -> None:
        """See `Loadable.unload`."""
        if self.llama is not None:
            self.llama.close()
        self.llama = self.compiler = None
        self.preambles.clear()
        gc.collect()

    def session(self, progress: ProgressReporter) -> "LlamaCppSession":
        """See `SessionModel.session`."""
        if self.llama is None:
            raise InferenceFailed(f"{self.name} was asked to assess before it was loaded.")
        return LlamaCppSession(self, self.llama, progress)


class LlamaCppSession:
    """One assessment with the model. See `Checker`, `Weigher` and `assessor.Session`."""

    def __init__(self, model: LlamaCpp, llama: Llama, progress: ProgressReporter) -> None:
        self.name, self.writes_prose = model.name, model.writes_prose
        self.usage = TokenUsage()
        self._model, self._llama, self._progress = model, llama, progress
        self._states = States()
        self._read: list[int] = []
        """The text whose blocks the model holds now."""
        llama.between = progress.repeat

    def close(self) -> None:
        """See `assessor.Session.close`."""
        self._states.clear()
        self._read = []
        self._llama.clear()

    def score(self, context: str, ask: str, options: Sequence[str]) -> list[float]:
        """See `Weigher.score`."""
        with job_failures(self.name):
            tokens = [self._llama.tokens(option) for option in options]
            question = self._llama.tokens(ask)
            self._context(self._llama.tokens(context), len(question) + sum(map(len, tokens)))
            last = self._extend(question)[-1:]
            start, means = self._llama.length, []
            for option in tokens:
                self._llama.keep(start)
                rest = self._llama.read(option[:-1], len(option) - 1) if option[1:] else last[:0]
                means.append(float(log_likelihoods(np.concatenate((last, rest)), option).mean()))
            return means

    def log_odds(self, context: str, asks: Sequence[str], preamble: str = "") -> list[float]:
        """See `Checker.log_odds`."""
        with job_failures(self.name):
            before, after = self._model.turn
            head = before + self._llama.tokens(preamble)
            text = head + self._llama.tokens(context)
            questions = [self._llama.tokens(ask) + after for ask in asks]
            self._context(text, sum(map(len, questions)), shared=len(head) if preamble else 0)
            odds = []
            for question in questions:
                self._llama.keep(len(text))
                logits = self._extend(question)[-1]
                odds.append(float(self._weight(logits, YES) - self._weight(logits, NO)))
            return odds

    def write(self, context: str, ask: str, schema: dict[str, Any], max_tokens: int) -> dict[str, Any]:
        """See `LanguageModel.write`. Raises `InferenceFailed` when the object does not end within `max_tokens`."""
        with job_failures(self.name):
            before, after = self._model.turn
            question = self._llama.tokens(ask) + after
            self._context(before + self._llama.tokens(context), len(question), answer=max_tokens)
            answer = self._continue(self._extend(question)[-1], json.dumps(schema), max_tokens)
        try:
            written: dict[str, Any] = json.loads(answer)
        except ValueError:
            raise InferenceFailed(f"{self.name}: the answer did not end within {max_tokens} tokens.") from None
        return written

    def _continue(self, logits: NDArray[np.float32], schema: str, max_tokens: int) -> bytes:
        """The likeliest text that the schema's grammar allows, token by token."""
        matcher = xgrammar.GrammarMatcher(self._model.compiler.compile_json_schema(schema, any_whitespace=False))
        mask = xgrammar.allocate_token_bitmask(1, self._llama.vocab_size)
        text = b""
        for count in range(1, max_tokens + 1):
            matcher.fill_next_token_bitmask(mask)
            allowed = np.unpackbits(mask.numpy().view(np.uint8)[0], bitorder="little")[: self._llama.vocab_size]
            token = int(np.where(allowed, logits, -np.inf).argmax())
            self.usage += TokenUsage(completion_tokens=1)
            if self._llama.is_end(token) or not matcher.accept_token(token):
                break
            text += self._llama.piece(token)
            if matcher.is_terminated() or count == max_tokens:
                break
            logits = self._llama.read([token])[-1]
        return text

    def _context(self, text: list[int], others: int, *, answer: int = 0, shared: int = 0) -> None:
        """Read `text`, or take what is kept of it. Counts the usage of a call with `others` more tokens.

        The first `shared` tokens hold nothing of the interview; what is computed for them outlives the session.
        """
        self._progress.repeat()
        needed, limit = len(text) + others + answer, self._model.context_tokens
        if needed > limit:
            raise InferenceFailed(f"{self.name} reads {limit} tokens at once, and this prompt needs up to {needed}.")
        reused = self._reuse(text)
        if shared // BLOCK * BLOCK > reused:
            self._blocks(text[: shared // BLOCK * BLOCK])
            self._model.preambles.put(self._read, self._llama.state())
        self._blocks(text)
        if reused < len(text):
            self._states.put(text, self._llama.state())
        self.usage += TokenUsage(1, len(text) + others, reused)

    def _reuse(self, text: list[int]) -> int:
        """Bring back the longest kept beginning of `text`. Returns its length."""
        held = common(self._read, text)
        kept, state = max(
            (states.longest(text) for states in (self._states, self._model.preambles)), key=lambda found: found[0]
        )
        if kept > held and state is not None:
            self._llama.restore(*state)
            held = kept
        self._llama.keep(held)
        self._read = text[:held]
        return held

    def _blocks(self, text: list[int]) -> None:
        """Read `text` from where the model stands, block by block."""
        for start in range(len(self._read), len(text), BLOCK):
            self._progress.repeat()
            self._llama.read(text[start : start + BLOCK])
        self._read = text

    def _extend(self, tokens: list[int]) -> NDArray[np.float32]:
        """Read a question after the context, block by block. Returns the logits of its last token, shape (1, …)."""
        if not tokens:
            raise InferenceFailed(f"{self.name} was asked an empty question.")
        for start in range(0, len(tokens), BLOCK):
            self._progress.repeat()
            logits = self._llama.read(tokens[start : start + BLOCK])
        return logits

    def _weight(self, logits: NDArray[np.float32], words: Sequence[str]) -> float:
        """Log of the summed probabilities of the words' first tokens, up to a constant."""
        first = [self._llama.tokens(word)[0] for word in words]
        return float(np.logaddexp.reduce(logits[first].astype(np.float64)))


class States:
    """What the model computed for texts, by their tokens. The least recently used go first."""

    def __init__(self, max_count: int = 1 << 30) -> None:
        self._max_count = max_count
        self._entries: OrderedDict[tuple[int, ...], bytes] = OrderedDict()

    def put(self, text: Sequence[int], state: bytes) -> None:
        """Keep the state after `text`."""
        self._entries[tuple(text)] = state
        while len(self._entries) > 1 and (
            len(self._entries) > self._max_count or sum(map(len, self._entries.values())) > MAX_STATES_BYTES
        ):
            self._entries.popitem(last=False)

    def longest(self, text: Sequence[int]) -> tuple[int, tuple[bytes, int] | None]:
        """The longest reusable beginning of `text`, and the (state, its length) that holds it."""
        lengths = {kept: common(kept, text) for kept in self._entries}
        best = max(lengths, key=lambda kept: lengths[kept], default=None)
        if best is None or not lengths[best]:
            return 0, None
        self._entries.move_to_end(best)
        return lengths[best], (self._entries[best], len(best))

    def clear(self) -> None:
        """Drop all: they hold what was said in an interview."""
        self._entries.clear()


def common(kept: Sequence[int], text: Sequence[int]) -> int:
    """Number of tokens at the beginning of `text` that were computed with `kept`: all of it, or whole blocks."""
    same = next((at for at, (a, b) in enumerate(zip(kept, text, strict=False)) if a != b), min(len(kept), len(text)))
    return same if same == len(kept) == len(text) else same // BLOCK * BLOCK


def log_likelihoods(logits: NDArray[np.float32], tokens: Sequence[int]) -> NDArray[np.float64]:
    """Natural log of the probability of each token, shape (n,), under the row of logits before it, shape (n, words)."""
    rows = logits.astype(np.float64)
    highest = rows.max(axis=1, keepdims=True)
    normaliser = highest[:, 0] + np.log(np.exp(rows - highest).sum(axis=1))
    return np.asarray(rows[np.arange(len(tokens)), tokens] - normaliser)


def gguf_file(path: Path) -> Path:
    """The GGUF file at `path` or in the folder `path`; the first of a file in parts. Raises `WeightsUnavailable`."""
    if path.is_file():
        return path
    found = sorted(path.rglob("*.gguf"))
    first = [file for file in found if "-of-" not in file.name or "-00001-of-" in file.name]
    if len(first) != 1:
        names = ", ".join(file.name for file in first) or "none"
        raise WeightsUnavailable(f"{path.name} must hold one GGUF file; found: {names}. Name it by `path` or `allow`.")
    return first[0]


def chat_turn(llama: Llama) -> tuple[list[int], list[int]]:
    """Tokens before and after the user's text in the model's chat template; none if the file has no template.

    The text itself never becomes markup: a candidate who says "<|im_end|>" does not end the user's turn.
    """
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    rendered = environment.from_string(llama.chat_template or USER_TEXT).render(
        messages=[{"role": "user", "content": USER_TEXT}], add_generation_prompt=True, enable_thinking=False
    )
    before, _, after = rendered.partition(USER_TEXT)
    return llama.tokens(before, markup=True), llama.tokens(after, markup=True)


def grammar_compiler(llama: Llama) -> Any:
    """Compiler of grammars over the model's vocabulary."""
    pieces = [llama.piece(token) for token in range(llama.vocab_size)]
    vocabulary = xgrammar.TokenizerInfo(pieces, xgrammar.VocabType.RAW, stop_token_ids=[llama.end])
    return xgrammar.GrammarCompiler(vocabulary)
