"""Where sentences end, and how words become text again. Shared by alignment, metrics and roles."""

import re
from collections.abc import Iterable, Sequence

from serve_app.pipeline.types import Word

_END = re.compile(r"[.?!…。？！][\"'”’»)\]]*$")
_ABBREVIATION = re.compile(r"^[\"'“(\[]*(mr|mrs|ms|dr|prof|st|vs|etc|e\.g|i\.e|[a-z])\.$", re.IGNORECASE)
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f\u0e00-\u0e7f]")
"""Scripts written without blanks: kana, Han, their punctuation, Thai."""
_CLINGS = re.compile(r"[,.;:?!…%)\]]|['’](s|re|ve|ll|d|m|t)\b", re.IGNORECASE)
"""What joins the word before it without a blank."""


def ends_sentence(text: str) -> bool:
    """Tell whether a word closes a sentence. An abbreviation or an initial does not."""
    return bool(_END.search(text)) and not _ABBREVIATION.match(text)


def bare(word: str) -> str:
    """A word without the punctuation around it, for a sentence of ours. `C++` and `.NET` stay whole."""
    return word.rstrip(',.;:?!…"”’»)]').lstrip('"“‘«([')


def is_question(text: str) -> bool:
    """Tell whether a word closes a question."""
    return "?" in text[-3:] or "？" in text[-3:]


def join(words: Iterable[Word]) -> str:
    """Write words as running text, with blanks where the script has them."""
    text = ""
    for piece in (word.text.strip() for word in words):
        spaced = (
            text and piece and not _CLINGS.match(piece) and not (_UNSPACED.match(text[-1]) and _UNSPACED.match(piece))
        )
        text += f" {piece}" if spaced else piece
    return text


def sentences(words: Sequence[Word]) -> list[tuple[Word, ...]]:
    """Cut words after each that ends a sentence; the last part may be unfinished."""
    cut: list[tuple[Word, ...]] = []
    start = 0
    for index, word in enumerate(words, start=1):
        if index == len(words) or ends_sentence(word.text):
            cut.append(tuple(words[start:index]))
            start = index
    return cut
