"""Spans of prompt injection: tags for each spoken word, and where a sentence starts to address the assessor.

The tagger reads normalised words: without stumbles, fillers, names, pronouns, articles, capitals and punctuation. So
neither the speaker, nor their way of speaking, nor a recogniser's spelling changes its tags.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import accumulate, groupby, pairwise
from operator import itemgetter
from statistics import fmean

from serve_app.pipeline.assessment.normalise import normalise
from serve_app.pipeline.assessment.ports import WordTagger, WordTags

ARTICLES = {"a", "an", "the"}
WINDOW = 4
"""Consecutive words whose mean tag counts: fewer words are ambiguous."""
INJECTION = 0.5
"""From this probability on, words address the assessor. In written interviews without an assessor, 2 sentences in 100
still reach it."""
SMOOTHING = 1
"""Words on either side that a word's tag is averaged with."""
MIN_PART_WORDS = 4
"""Shortest part that a sentence is cut into."""
NUMBER = "number"
"""What the tagger reads in place of a long number, such as a phone number."""
MIN_DIGITS, MIN_DISTINCT_DIGITS = 5, 4
"""A row of digits is a long number from these on. A row of marks ("five five four five") has fewer distinct digits."""
DIGIT_WORDS = {
    "zero": "0", "oh": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9",
}  # fmt: skip


def tagger_words(sentence: str) -> list[str]:
    """Return the words of a sentence as the tagger reads them."""
    return list(_replace_long_numbers(word for word in _words(normalise(sentence)) if word not in ARTICLES))


def _replace_long_numbers(words: Iterable[str]) -> Iterator[str]:
    """Replace each row of digits that is too long for marks by NUMBER. All other words stay."""
    for are_digits, row in groupby(words, key=lambda word: word.isdecimal() or word in DIGIT_WORDS):
        run = list(row)
        digits = "".join(DIGIT_WORDS.get(word, word) for word in run)
        long = are_digits and len(digits) >= MIN_DIGITS and len(set(digits)) >= MIN_DISTINCT_DIGITS
        yield from [NUMBER] if long else run


def tag_sentences(sentences: Sequence[Sequence[str]], tagger: WordTagger) -> list[list[WordTags]]:
    """Tag each word of each sentence. A word that the tagger does not read gets the tags of the word before it."""
    normalised = [tagger_words(" ".join(words)) for words in sentences]
    return [_align(*row) for row in zip(sentences, normalised, tagger.tag_words(normalised), strict=True)]


def _align(words: Sequence[str], normalised: Sequence[str], tags: Sequence[WordTags]) -> list[WordTags]:
    """Map the tags of normalised words to the spoken words they come from."""
    tokens = [(token, index) for index, word in enumerate(words) for token in _words(word)]
    aligned: list[WordTags | None] = [None] * len(words)
    matcher = SequenceMatcher(None, [token for token, _ in tokens], normalised, autojunk=False)
    for _, start, end, first, last in matcher.get_opcodes():
        for offset in range(min(end - start, last - first)):
            index = tokens[start + offset][1]
            aligned[index] = max(aligned[index] or tags[first + offset], tags[first + offset])
    return _fill_gaps(aligned)


def _fill_gaps(aligned: Sequence[WordTags | None]) -> list[WordTags]:
    last = next((tags for tags in aligned if tags), WordTags())
    filled = []
    for tags in aligned:
        last = tags or last
        filled.append(last)
    return filled


def combine(tags: Sequence[WordTags]) -> WordTags:
    """Combine the tags of consecutive words: highest window mean for injection, mean of all words for work."""
    if not tags:
        return WordTags()
    windows = range(max(1, len(tags) - WINDOW + 1))
    injection = max(fmean(tag.injection for tag in tags[start : start + WINDOW]) for start in windows)
    return WordTags(round(injection, 3), round(fmean(tag.work for tag in tags), 3))


def split_at_injections(tags: Sequence[WordTags]) -> list[slice]:
    """Cut a sentence so that the words that address the assessor stand alone. Most sentences stay whole."""
    marks = [
        fmean(tag.injection for tag in tags[max(0, index - SMOOTHING) : index + SMOOTHING + 1]) >= INJECTION
        for index in range(len(tags))
    ]
    runs = [(mark, len(list(same))) for mark, same in groupby(marks)]
    while len(runs) > 1 and min(length for _, length in runs) < MIN_PART_WORDS:
        runs = _without_shortest(runs)
    return _slices(length for _, length in runs)


def _without_shortest(runs: Sequence[tuple[bool, int]]) -> list[tuple[bool, int]]:
    """Join the shortest run with the runs around it, under their mark."""
    shortest = min(range(len(runs)), key=lambda index: runs[index][1])
    turned = [(mark != (index == shortest), length) for index, (mark, length) in enumerate(runs)]
    return [(mark, sum(length for _, length in same)) for mark, same in groupby(turned, key=itemgetter(0))]


def _slices(lengths: Iterable[int]) -> list[slice]:
    edges = list(accumulate(lengths, initial=0))
    return [slice(*pair) for pair in pairwise(edges)]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+(?:'\w+)*", text.lower().replace("’", "'"))
