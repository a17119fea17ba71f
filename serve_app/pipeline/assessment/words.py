"""Compares words: by stem, or by letters where a recogniser or another country spells them differently."""

import re
from functools import cache

COMMON = re.compile(
    r"an?|the|of|to|in|is|are|was|were|be|been|its?|that|this|which|and|or|for|on|at|by|as|with|from|can|will|not|than|"
    r"then|so|if|when|you|your|i|they|their|he|she|we|our|ha[sd]|have|do|does"
)
"""Function words: they say nothing about a text's subject."""


def content_stems(text: str) -> set[str]:
    """Return the stems of a text's words, without those in COMMON."""
    words = re.findall(r"[a-z0-9']+", text.lower())
    return {stem(word) for word in words if not COMMON.fullmatch(word)}


def stems(text: str) -> set[str]:
    """Return the stems of a text's words."""
    return {stem(word) for word in re.findall(r"[a-z']+", text.lower())}


@cache
def stem(word: str) -> str:
    """Strip the commonest English endings: enough to match "solved" with "solve"."""
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word[: -len(ending)]
    return word


def similarity(one: str, other: str) -> float:
    """Return the Dice coefficient of two words' letter trigrams, 0 to 1; 1 for the same word."""
    a, b = _trigrams(one), _trigrams(other)
    return 2 * len(a & b) / (len(a) + len(b))


@cache
def _trigrams(word: str) -> frozenset[str]:
    edged = f"^{word}$"
    return frozenset(edged[at : at + 3] for at in range(len(edged) - 2))
