"""Words that the recogniser may have got wrong, and sentences that such a word may turn into their opposite.

Measured on 2,903 recognised words of three real consultations (Whisper tiny, against what people wrote down): of the
words under UNSURE, 37 in 100 were wrong; from 0.9 on, 2 in 100. Of the negations under UNSURE_NEGATION, 19 in 100 were
wrong, of the others 1 in 100; of the auxiliaries under UNSURE, 39 in 100, of the others 6.
"""

import re
from collections.abc import Iterable

from serve_app.pipeline.types import DoubtfulWord, Word

UNSURE = 0.5
"""Confidence under which a word is doubtful."""
UNSURE_NEGATION = 0.7
"""Confidence under which a negation is doubtful, and so is "can", which hardly differs from "can't" by sound."""
_NEGATION = re.compile(r"not|no|never|none|nothing|nobody|nowhere|neither|nor|without|cannot|can|\w+n't", re.IGNORECASE)
_AUXILIARY = re.compile(r"do|does|did|could|will|would|should|is|are|was|were|have|has|had|must", re.IGNORECASE)
"""What "n't" is said after. The recogniser may have missed it."""


def doubtful_words(words: Iterable[Word]) -> tuple[DoubtfulWord, ...]:
    """Return the words that the recogniser is not sure of."""
    return tuple(
        DoubtfulWord(round(word.start, 2), round(word.end, 2), word.text, round(word.confidence, 3))
        for word in words
        if word.confidence < UNSURE or _is_unsure_negation(word)
    )


def negation_in_doubt(words: Iterable[Word]) -> bool:
    """Whether the words may say the opposite of what was said: a negation may be wrong, or missing."""
    return any(_is_unsure_negation(word) or _is_unsure_auxiliary(word) for word in words)


def _is_unsure_auxiliary(word: Word) -> bool:
    return word.confidence < UNSURE and bool(_AUXILIARY.fullmatch(_letters(word)))


def _is_unsure_negation(word: Word) -> bool:
    return word.confidence < UNSURE_NEGATION and bool(_NEGATION.fullmatch(_letters(word)))


def _letters(word: Word) -> str:
    return re.sub(r"[^\w']", "", word.text.replace("’", "'"))
