"""Keys and values of the contexts that a causal language model has read, so that it reads each context once.

A passage of an interview is the context of many questions: every competency it concerns, every order of the anchors.
A context is always read on its own and the question after it, whether the cache keeps it or not, so an answer never
depends on earlier calls.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch

MAX_BYTES = 256 << 20
"""Size limit of the cache: about 11,000 tokens of a 135M model, 1,700 of an 8B one."""

Read = Callable[[torch.Tensor], Any]
"""Maps tokens, shape (1, n), to the model's cache of keys and values after them."""


class PrefixCache:
    """Recently read contexts; evicts the least recently used first."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def get(self, tokens: torch.Tensor, read: Read) -> tuple[Any, bool]:
        """A private copy of the keys and values after `tokens`, and whether they were cached. None for no tokens."""
        if not tokens.shape[1]:
            return None, False
        key = tuple(tokens[0].tolist())
        hit = key in self._entries
        if not hit:
            self._entries[key] = read(tokens)
        self._entries.move_to_end(key)
        entry = copy.deepcopy(self._entries[key])
        while len(self._entries) > 1 and sum(map(_size, self._entries.values())) > self._max_bytes:
            self._entries.popitem(last=False)
        return entry, hit

    def clear(self) -> None:
        """Drop all contexts: they hold what was said in an interview."""
        self._entries.clear()


def _size(entry: Any) -> int:
    return sum(part.nbytes for layer in entry.layers for part in (layer.keys, layer.values) if part is not None)
