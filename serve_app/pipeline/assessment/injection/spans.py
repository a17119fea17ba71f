"""From a sentence as it was said to what each of its words sounds like, and to the parts that are meant for others.

The ear hears neutral words: without stumbles, fillers, names, pronouns, articles, capitals and punctuation. So neither
how somebody speaks nor who they are, nor how a recogniser writes, can be what it hears.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from difflib import SequenceMatcher
from itertools import accumulate, groupby, pairwise
from operator import itemgetter
from statistics import fmean

from serve_app.pipeline.assessment.normalise import neutral
from serve_app.pipeline.assessment.ports import WordTags

Hear = Callable[[Sequence[Sequence[str]]], list[list[WordTags]]]
"""See `WordTagger.tag_words`."""
ARTICLES = {"a", "an", "the"}
RUN = 4
"""Words in a row by which a part is judged: fewer sound like anything."""
HEARD = 0.5
"""From here on words are meant for the grader: of written interviews, none of which speaks to a grader, 2 sentences in
100 are still heard so."""
SMOOTHED = 1
"""Words on either side that a word's sound is averaged with."""
FEWEST = 4
"""A part of fewer words is none of its own."""


def as_heard(sentence: str) -> list[str]:
    """The words of a sentence as the ear hears them."""
    return [word for word in _words(neutral(sentence)) if word not in ARTICLES]


def sounds(said: Sequence[Sequence[str]], hear: Hear) -> list[list[WordTags]]:
    """What each word of each sentence sounds like; a word that the ear does not hear sounds like the one before."""
    heard = [as_heard(" ".join(words)) for words in said]
    return [_spread(*one) for one in zip(said, heard, hear(heard), strict=True)]


def _spread(words: Sequence[str], heard: Sequence[str], sounds: Sequence[WordTags]) -> list[WordTags]:
    """The sounds of the words heard, put on the words said."""
    plain = [(word, at) for at, said in enumerate(words) for word in _words(said)]
    found: list[WordTags | None] = [None] * len(words)
    matcher = SequenceMatcher(None, [word for word, _ in plain], heard, autojunk=False)
    for _, start, end, first, last in matcher.get_opcodes():
        for offset in range(min(end - start, last - first)):
            at = plain[start + offset][1]
            found[at] = max(found[at] or sounds[first + offset], sounds[first + offset])
    return _filled(found)


def _filled(found: Sequence[WordTags | None]) -> list[WordTags]:
    last = next((sound for sound in found if sound), WordTags())
    filled = []
    for sound in found:
        last = sound or last
        filled.append(last)
    return filled


def together(sounds: Sequence[WordTags]) -> WordTags:
    """What words in a row sound like: their strongest run for the grader, all of them for an account."""
    if not sounds:
        return WordTags()
    runs = range(max(1, len(sounds) - RUN + 1))
    grader = max(fmean(sound.grader for sound in sounds[at : at + RUN]) for at in runs)
    return WordTags(round(grader, 3), round(fmean(sound.account for sound in sounds), 3))


def parts(sounds: Sequence[WordTags]) -> list[slice]:
    """Where a sentence has to be cut, so that what is meant for the grader stands alone; mostly nowhere."""
    marks = [
        fmean(s.grader for s in sounds[max(0, at - SMOOTHED) : at + SMOOTHED + 1]) >= HEARD for at in range(len(sounds))
    ]
    runs = [(mark, len(list(same))) for mark, same in groupby(marks)]
    while len(runs) > 1 and min(length for _, length in runs) < FEWEST:
        runs = _without_the_shortest(runs)
    return _slices(length for _, length in runs)


def _without_the_shortest(runs: Sequence[tuple[bool, int]]) -> list[tuple[bool, int]]:
    """The shortest run taken for what stands around it."""
    shortest = min(range(len(runs)), key=lambda at: runs[at][1])
    turned = [(mark != (at == shortest), length) for at, (mark, length) in enumerate(runs)]
    return [(mark, sum(length for _, length in same)) for mark, same in groupby(turned, key=itemgetter(0))]


def _slices(lengths: Iterable[int]) -> list[slice]:
    ends = list(accumulate(lengths, initial=0))
    return [slice(*ends_of_one) for ends_of_one in pairwise(ends)]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+(?:'\w+)*", text.lower().replace("’", "'"))
