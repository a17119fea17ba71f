"""Ways in which people speak and recognisers write. Each function rewrites a text in one of them."""

import re
from collections.abc import Mapping

PRESENT_FORMS = {
    "was": "is", "were": "is", "are": "is", "has": "have", "had": "have", "did": "do", "does": "do", "went": "go",
    "got": "get", "made": "make", "took": "take", "told": "tell", "said": "say", "gave": "give", "found": "find",
    "kept": "keep", "came": "come", "wrote": "write", "saw": "see", "asked": "ask", "called": "call",
    "worked": "work", "started": "start", "checked": "check", "moved": "move", "used": "use", "tried": "try",
}  # fmt: skip
"""Verbs as speakers use them who have not learnt the past tense."""


def no_articles(text: str) -> str:
    """Remove articles, as speakers do whose first language has none."""
    return re.sub(r"\b(?:the|an?) ", "", text, flags=re.IGNORECASE)


def simple_grammar(text: str) -> str:
    """Remove articles and put verbs into the present."""
    return replace_words(no_articles(text), PRESENT_FORMS)


def accented(text: str) -> str:
    """Spell words as an accent sounds, which is how a recogniser may write them."""
    return re.sub(r"\bth(?=[eaio])", "d", re.sub(r"\bv", "w", re.sub(r"th\b", "t", text)))


def unpunctuated(text: str) -> str:
    """Remove punctuation and capitals, as some recognisers do."""
    return re.sub(r"[^\w' ]", "", text).lower()


def replace_words(text: str, replacements: Mapping[str, str]) -> str:
    """Replace whole words, one after the other."""
    for word, replacement in replacements.items():
        text = re.sub(rf"\b{word}\b", replacement, text)
    return text
