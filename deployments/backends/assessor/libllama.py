"""llama.cpp's C interface in the library that xllamacpp brings: one GGUF file, mapped, and one sequence of tokens.

xllamacpp's own interface is a server: it opens a port, keeps prompts of every caller in up to 8 GiB of memory, returns
the probabilities of no text but its own, and cannot be stopped while it reads a prompt. The library beneath it exports
llama.h, whose functions are bound here. Structs are filled by llama.cpp's own defaults; `open_library` checks that the
fields set here are where they are expected, and refuses another layout.
"""

import ctypes as c
import logging
from collections.abc import Callable, Sequence
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serve_app.errors import InferenceFailed, WeightsUnavailable

log = logging.getLogger(__name__)

ERROR = 4
"""ggml_log_level of errors."""
SEQUENCE = 0
"""The only sequence; its cells start at 0, so results do not depend on what was read before."""

NO_EXTRAS = False
"""Tokens without a token for the beginning; text without the names of control tokens."""

LogCallback = c.CFUNCTYPE(None, c.c_int, c.c_char_p, c.c_void_p)
LoadCallback = c.CFUNCTYPE(c.c_bool, c.c_float, c.c_void_p)
AbortCallback = c.CFUNCTYPE(c.c_bool, c.c_void_p)


class ModelParams(c.Structure):
    """llama_model_params."""

    _fields_ = [
        ("devices", c.c_void_p),
        ("tensor_buft_overrides", c.c_void_p),
        *((name, c.c_int32) for name in ("n_gpu_layers", "split_mode", "load_mode", "lazy_mode", "main_gpu")),
        ("tensor_split", c.c_void_p),
        ("progress_callback", LoadCallback),
        ("progress_data", c.c_void_p),
        ("kv_overrides", c.c_void_p),
        *((name, c.c_bool) for name in ("vocab_only", "check_tensors", "use_extra_bufts")),
        ("rest", c.c_byte * 61),  # fields that are not set here, and room for new ones
    ]


class ContextParams(c.Structure):
    """llama_context_params, as far as it is read here."""

    _fields_ = [
        *((name, c.c_uint32) for name in ("n_ctx", "n_batch", "n_ubatch", "n_seq_max", "n_rs_seq")),
        *((name, c.c_uint32) for name in ("n_outputs_max", "n_outputs_max_per_seq")),
        *((name, c.c_int32) for name in ("n_threads", "n_threads_batch", "ctx_type", "rope", "pooling")),
        *((name, c.c_int32) for name in ("attention", "flash_attention")),
        *((name, c.c_float) for name in ("rope_base", "rope_scale", "yarn_ext", "yarn_attn", "yarn_fast", "yarn_slow")),
        ("rest", c.c_byte * 152),
    ]


class Batch(c.Structure):
    """llama_batch."""

    _fields_ = [
        ("n_tokens", c.c_int32),
        ("token", c.POINTER(c.c_int32)),
        ("embd", c.c_void_p),
        ("pos", c.POINTER(c.c_int32)),
        ("n_seq_id", c.c_void_p),
        ("seq_id", c.c_void_p),
        ("logits", c.POINTER(c.c_int8)),
    ]


POINTER, INT, UINT, SIZE, BOOL = c.c_void_p, c.c_int32, c.c_uint32, c.c_size_t, c.c_bool
FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "llama_log_set": (None, (LogCallback, POINTER)),
    "llama_backend_init": (None, ()),
    "llama_model_default_params": (ModelParams, ()),
    "llama_context_default_params": (ContextParams, ()),
    "llama_model_load_from_file": (POINTER, (c.c_char_p, ModelParams)),
    "llama_model_free": (None, (POINTER,)),
    "llama_model_get_vocab": (POINTER, (POINTER,)),
    "llama_model_chat_template": (c.c_char_p, (POINTER, c.c_char_p)),
    "llama_init_from_model": (POINTER, (POINTER, ContextParams)),
    "llama_free": (None, (POINTER,)),
    "llama_n_ctx": (UINT, (POINTER,)),
    "llama_n_batch": (UINT, (POINTER,)),
    "llama_n_threads_batch": (INT, (POINTER,)),
    "llama_set_abort_callback": (None, (POINTER, AbortCallback, POINTER)),
    "llama_vocab_n_tokens": (INT, (POINTER,)),
    "llama_vocab_eos": (INT, (POINTER,)),
    "llama_vocab_is_eog": (BOOL, (POINTER, INT)),
    "llama_vocab_get_text": (c.c_char_p, (POINTER, INT)),
    "llama_token_to_piece": (INT, (POINTER, INT, c.c_char_p, INT, INT, BOOL)),
    "llama_tokenize": (INT, (POINTER, c.c_char_p, INT, c.POINTER(INT), INT, BOOL, BOOL)),
    "llama_decode": (INT, (POINTER, Batch)),
    "llama_get_logits_ith": (c.POINTER(c.c_float), (POINTER, INT)),
    "llama_get_memory": (POINTER, (POINTER,)),
    "llama_memory_clear": (None, (POINTER, BOOL)),
    "llama_memory_seq_rm": (BOOL, (POINTER, INT, INT, INT)),
    "llama_state_seq_get_size": (SIZE, (POINTER, INT)),
    "llama_state_seq_get_data": (SIZE, (POINTER, POINTER, SIZE, INT)),
    "llama_state_seq_set_data": (SIZE, (POINTER, POINTER, SIZE, INT)),
}


def _log_errors(level: int, text: bytes, _: object) -> None:
    if level == ERROR:
        log.error("llama.cpp: %s", text.decode("utf-8", "replace").strip())


ON_LOG = LogCallback(_log_errors)


@cache
def open_library() -> Any:
    """Load and check the library once per process. Raises `WeightsUnavailable` when it is missing or has changed."""
    found = util.find_spec("xllamacpp")
    files = [
        file for folder in (found and found.submodule_search_locations) or () for file in Path(folder).glob("*.so")
    ]
    if not files:
        raise WeightsUnavailable(
            "Install xllamacpp (scripts/setup does): it carries llama.cpp, which reads GGUF files."
        )
    library = c.CDLL(str(files[0]))
    try:
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except AttributeError as error:
        raise _changed(str(error)) from error
    library.llama_log_set(ON_LOG, None)
    library.llama_backend_init()
    model, context = library.llama_model_default_params(), library.llama_context_default_params()
    numbers = (context.n_ctx, context.n_batch, context.n_ubatch, context.n_seq_max, context.n_outputs_max_per_seq)
    flags = (model.vocab_only, model.check_tensors, model.use_extra_bufts, model.kv_overrides, model.n_gpu_layers)
    if numbers != (512, 2048, 512, 1, 1) or flags != (False, False, True, None, -1) or context.yarn_slow != -1.0:
        raise _changed(f"defaults {numbers} and {flags}")
    return library


def _changed(found: str) -> WeightsUnavailable:
    return WeightsUnavailable(
        f"xllamacpp {metadata.version('xllamacpp')} has another interface than the pinned one ({found}): "
        "install the version in config/requirements/constraints.txt."
    )


class Llama:
    """A model and the tokens it has read. One call at a time.

    `progress` receives the loaded share, 0 to 1, and may raise. `between` is called all the time while the model reads;
    what it raises stops the reading and leaves `read`.
    """

    def __init__(self, file: Path, context_tokens: int, threads: int, progress: Callable[[float], None]) -> None:
        self._library = open_library()
        self._raised: BaseException | None = None
        self.between: Callable[[], None] = lambda: None
        self._model = self._load(file, progress)
        self._vocab = self._library.llama_model_get_vocab(self._model)
        self.vocab_size = int(self._library.llama_vocab_n_tokens(self._vocab))
        self._context = self._open(context_tokens, threads)
        self._memory = self._library.llama_get_memory(self._context)
        self.length = 0
        """Number of tokens read."""

    def _load(self, file: Path, progress: Callable[[float], None]) -> Any:
        parameters = self._library.llama_model_default_params()
        parameters.n_gpu_layers = 0
        # Weights are read where they are mapped. Repacked copies cost 0.7 GB for a 1.5B model and gain no speed.
        parameters.use_extra_bufts = False
        parameters.progress_callback = LoadCallback(lambda share, _: self._went_on(lambda: progress(share)))
        model = self._library.llama_model_load_from_file(str(file).encode(), parameters)
        self._raise()
        if not model:
            raise WeightsUnavailable(f"{file.name} is not a GGUF file that llama.cpp can read.")
        return model

    def _open(self, context_tokens: int, threads: int) -> Any:
        parameters = self._library.llama_context_default_params()
        parameters.n_ctx, parameters.n_batch = context_tokens, min(512, context_tokens)
        parameters.n_outputs_max_per_seq = parameters.n_batch
        parameters.n_threads = parameters.n_threads_batch = threads
        context = self._library.llama_init_from_model(self._model, parameters)
        if not context:
            self._library.llama_model_free(self._model)
            raise MemoryError(f"out of memory for a context of {context_tokens} tokens")
        library = self._library
        found = (library.llama_n_batch(context), library.llama_n_threads_batch(context))
        if library.llama_n_ctx(context) < context_tokens or found != (parameters.n_batch, threads):
            raise _changed(f"a context of {library.llama_n_ctx(context)} tokens, batches and threads {found}")
        self._abort = AbortCallback(lambda _: not self._went_on(self.between))
        library.llama_set_abort_callback(context, self._abort, None)
        return context

    def close(self) -> None:
        """Release the memory."""
        self._library.llama_free(self._context)
        self._library.llama_model_free(self._model)

    @property
    def chat_template(self) -> str:
        """The file's Jinja template of a conversation; empty if it has none."""
        return (self._library.llama_model_chat_template(self._model, None) or b"").decode()

    @property
    def end(self) -> int:
        """The token that ends an answer."""
        return int(self._library.llama_vocab_eos(self._vocab))

    def is_end(self, token: int) -> bool:
        """Whether the token ends an answer."""
        return bool(self._library.llama_vocab_is_eog(self._vocab, token))

    def tokens(self, text: str, *, markup: bool = False) -> list[int]:
        """Tokens of a text. Only with `markup` are `<|…|>` control tokens and not words."""
        raw = text.encode()
        found = (c.c_int32 * (len(raw) + 1))()
        count = self._library.llama_tokenize(self._vocab, raw, len(raw), found, len(found), NO_EXTRAS, markup)
        if count < 0:
            raise InferenceFailed(f"A text of {len(raw)} bytes could not be split into tokens.")
        return found[:count]

    def piece(self, token: int) -> bytes:
        """Text of a token; empty for control tokens."""
        buffer = c.create_string_buffer(256)
        count = self._library.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, NO_EXTRAS)
        return buffer.raw[: max(0, count)]

    def read(self, tokens: Sequence[int], outputs: int = 1) -> NDArray[np.float32]:
        """Read at most 512 tokens after those read; logits of the last `outputs`, shape (outputs, vocabulary).

        Raises what `between` raises, and `InferenceFailed`.
        """
        count = len(tokens)
        wanted = (c.c_int8 * count)(*([0] * (count - outputs)), *([1] * outputs))
        batch = Batch(
            count, (c.c_int32 * count)(*tokens), None,
            (c.c_int32 * count)(*range(self.length, self.length + count)), None, None, wanted,
        )  # fmt: skip
        code = self._library.llama_decode(self._context, batch)
        if code:
            self.keep(self.length)  # drops what was read of this batch
            self._raise()
            raise InferenceFailed(f"llama.cpp could not read {count} tokens after {self.length} (code {code}).")
        self.length += count
        rows = (self._library.llama_get_logits_ith(self._context, at) for at in range(count - outputs, count))
        return np.stack([np.ctypeslib.as_array(row, (self.vocab_size,)) for row in rows])

    def keep(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        self._library.llama_memory_seq_rm(self._memory, SEQUENCE, length, -1)
        self.length = length

    def state(self) -> bytes:
        """What was computed for the tokens read."""
        size = self._library.llama_state_seq_get_size(self._context, SEQUENCE)
        buffer = c.create_string_buffer(size)
        self._library.llama_state_seq_get_data(self._context, buffer, size, SEQUENCE)
        return buffer.raw

    def restore(self, state: bytes, length: int) -> None:
        """Put back what `state` returned after `length` tokens."""
        self.clear()
        if not self._library.llama_state_seq_set_data(self._context, state, len(state), SEQUENCE):
            raise InferenceFailed(f"What was computed for {length} tokens could not be restored.")
        self.length = length

    def clear(self) -> None:
        """Forget all tokens and overwrite what was computed for them."""
        self._library.llama_memory_clear(self._memory, True)  # noqa: FBT003 — a C function
        self.length = 0

    def _went_on(self, call: Callable[[], None]) -> bool:
        """Whether `call` returned. An exception must not cross C code: it is kept for `_raise`."""
        try:
            call()
        except BaseException as error:  # noqa: BLE001 — it is raised again
            self._raised = error
            return False
        return True

    def _raise(self) -> None:
        raised, self._raised = self._raised, None
        if raised is not None:
            raise raised
