"""Tags of the words as they were said, and where a sentence turns to the assessor.

The tagger reads normalised words: without stumbles, fillers, names, pronouns, articles, capitals and punctuation. So
neither a way of speaking, nor a person, nor a recogniser's spelling can decide what it finds.
"""

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from itertools import accumulate, groupby, pairwise
from operator import itemgetter
from statistics import fmean

from serve_app.pipeline.assessment.normalise import normalise
from serve_app.pipeline.assessment.ports import WordTagger, WordTags

ARTICLES = {"a", "an", "the"}
WINDOW = 4
"""Consecutive words that a part is judged by: fewer words may look like anything."""
INJECTION = 0.5
"""From this probability on, words address the assessor. In written interviews, where nobody addresses an assessor,
2 sentences in 100 still reach it."""
SMOOTHING = 1
"""Words on either side that a word's tag is averaged with."""
MIN_PART_WORDS = 4
"""A sentence is not cut into parts of fewer words."""


def tagger_words(sentence: str) -> list[str]:
    """The words of a sentence as the tagger reads them."""
    return [word for word in _words(normalise(sentence)) if word not in ARTICLES]


def tag_sentences(sentences: Sequence[Sequence[str]], tagger: WordTagger) -> list[list[WordTags]]:
    """Tag each word of each sentence. A word that the tagger does not read gets the tags of the word before it."""
    read = [tagger_words(" ".join(words)) for words in sentences]
    return [_spread(*one) for one in zip(sentences, read, tagger.tag_words(read), strict=True)]


def _spread(words: Sequence[str], read: Sequence[str], tags: Sequence[WordTags]) -> list[WordTags]:
    """Put the tags of the words that were read on the words that were said."""
    plain = [(word, at) for at, said in enumerate(words) for word in _words(said)]
    spread: list[WordTags | None] = [None] * len(words)
    matcher = SequenceMatcher(None, [word for word, _ in plain], read, autojunk=False)
    for _, start, end, first, last in matcher.get_opcodes():
        for offset in range(min(end - start, last - first)):
            at = plain[start + offset][1]
            spread[at] = max(spread[at] or tags[first + offset], tags[first + offset])
    return _fill_gaps(spread)


def _fill_gaps(spread: Sequence[WordTags | None]) -> list[WordTags]:
    last = next((tags for tags in spread if tags), WordTags())
    filled = []
    for tags in spread:
        last = tags or last
        filled.append(last)
    return filled


def combine(tags: Sequence[WordTags]) -> WordTags:
    """Tags of consecutive words together: the highest window mean for injection, the mean of all words for work."""
    if not tags:
        return WordTags()
    windows = range(max(1, len(tags) - WINDOW + 1))
    injection = max(fmean(one.injection for one in tags[at : at + WINDOW]) for at in windows)
    return WordTags(round(injection, 3), round(fmean(one.work for one in tags), 3))


def split_at_injections(tags: Sequence[WordTags]) -> list[slice]:
    """Cut a sentence so that what addresses the assessor stands alone. Most sentences stay whole."""
    marks = [
        fmean(one.injection for one in tags[max(0, at - SMOOTHING) : at + SMOOTHING + 1]) >= INJECTION
        for at in range(len(tags))
    ]
    runs = [(mark, len(list(same))) for mark, same in groupby(marks)]
    while len(runs) > 1 and min(length for _, length in runs) < MIN_PART_WORDS:
        runs = _without_shortest(runs)
    return _slices(length for _, length in runs)


def _without_shortest(runs: Sequence[tuple[bool, int]]) -> list[tuple[bool, int]]:
    """Give the shortest run the mark of the runs around it, and join them."""
    shortest = min(range(len(runs)), key=lambda at: runs[at][1])
    turned = [(mark != (at == shortest), length) for at, (mark, length) in enumerate(runs)]
    return [(mark, sum(length for _, length in same)) for mark, same in groupby(turned, key=itemgetter(0))]


def _slices(lengths: Iterable[int]) -> list[slice]:
    edges = list(accumulate(lengths, initial=0))
    return [slice(*pair) for pair in pairwise(edges)]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+(?:'\w+)*", text.lower().replace("’", "'"))
