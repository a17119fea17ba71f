"""Keys and values of contexts that a causal language model has read, so that it reads each of them once.

An interview's passage is the context of many questions: every competency it touches, every order of the statements. A
context is always read alone and its question after it, kept or not, so an answer never depends on what came before.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch

KEPT_BYTES = 256 << 20
"""Room for what is kept: some 11,000 tokens of a 135M model, 1,700 of an 8B one."""

Read = Callable[[torch.Tensor], Any]
"""Tokens, shape (1, n), to the cache of keys and values after them."""


class Prefixes:
    """The contexts read lately, the least lately used dropped first."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._known: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def after(self, tokens: torch.Tensor, read: Read) -> tuple[Any, bool]:
        """A cache of the caller's own that stands behind `tokens`, and whether it was known. None for no tokens."""
        if not tokens.shape[1]:
            return None, False
        key = tuple(tokens[0].tolist())
        known = key in self._known
        if not known:
            self._known[key] = read(tokens)
        self._known.move_to_end(key)
        cache = copy.deepcopy(self._known[key])
        while len(self._known) > 1 and sum(map(_size, self._known.values())) > self._kept_bytes:
            self._known.popitem(last=False)
        return cache, known

    def forget(self) -> None:
        """Keep nothing of what was said."""
        self._known.clear()


def _size(cache: Any) -> int:
    return sum(part.nbytes for layer in cache.layers for part in (layer.keys, layer.values) if part is not None)
