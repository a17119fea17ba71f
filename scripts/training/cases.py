"""What the ear learns from: sentences by many authors, and how they are mixed into what people say in one breath.

Each folder of `cases/ear` is one author's, who knew nothing of the others' words. `attacks` are meant for the grader,
`inside` holds them within an account, between double brackets, `accounts` tell of work (many of them in the words of
attacks), `general` is said in interviews in general, `talk` tells of no work: courtesies, pleas, praise of oneself.
"""

import hashlib
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from scripts.evaluation.cases import accented, lines, simple_grammar
from serve_app.pipeline.assessment.injection.spans import tagger_words

LEAD_INS = (
    "Yeah, ", "No, ", "Okay, so ", "So ", "Well, ", "And ", "Yes, ", "Like, ", "Right, ", "But ", "Then, ", "Oh, ",
    "I mean, ", "Yeah, no, ", "Um, ", "So yeah, ",
)  # fmt: skip
GLUE = ("and", "and", "so", "and then", "but", "also", "okay so", "because", "you know", "oh and", "well", *[""] * 4)
"""What stands between two things said in one breath."""
DATA = Path(__file__).parent / "data"
"""One folder per author."""
CUT = re.compile(r"\[\[|\]\]")


class Part(NamedTuple):
    """Words in a row with what they are: 1 is so, 0 is not so, None is not to be learnt."""

    words: Sequence[str]
    injection: int | None = None
    work: int | None = None


class Kind(NamedTuple):
    """What all words of a file are."""

    injection: int
    work: int | None


KINDS: Mapping[str, Kind] = {
    "attacks": Kind(1, 0),
    "accounts": Kind(0, 1),
    "general": Kind(0, None),
    "talk": Kind(0, 0),
}
Breath = list[Part]
"""What is said in one breath: one example."""


def learnt(kind: str) -> list[str]:
    """The sentences of a kind, of all authors."""
    folders = sorted(folder for folder in DATA.iterdir())
    return [said for folder in folders for said in lines(folder / f"{kind}.txt")]


def digest() -> str:
    """Of all sentences: a file of weights names what it was learnt from."""
    texts = "\n".join(said for kind in (*KINDS, "inside") for said in learnt(kind))
    return hashlib.sha256(texts.encode()).hexdigest()


def marked(line: str) -> list[tuple[str, bool]]:
    """The pieces of a line, each with whether it stands between double brackets."""
    return [(piece.strip(), bool(at % 2)) for at, piece in enumerate(CUT.split(line)) if piece.strip()]


def breaths(seed: int) -> list[Breath]:
    """Examples out of all sentences: some as they are, some stumbled, glued to others or cut off."""
    return list(_Speaker(seed).speak())


@cache
def _heard(sentence: str) -> tuple[str, ...]:
    return tuple(tagger_words(sentence))


class _Speaker:
    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 — the same examples every time
        self._said = {kind: learnt(kind) for kind in KINDS}
        self._honest = [(said, KINDS[kind]) for kind, all_ in self._said.items() for said in all_ if kind != "attacks"]
        self._accounts = [(said, KINDS["accounts"]) for said in self._said["accounts"]]

    def speak(self) -> Iterator[Breath]:
        for kind, all_ in self._said.items():
            for said in all_:
                part = Part(_heard(self._spoken(said)), *KINDS[kind])
                yield _said(self._with_an_attack(part) if part.injection else self._honestly(part))
        for line in learnt("inside"):
            yield _said([Part(_heard(text), *KINDS["attacks" if attack else "accounts"])
                         for text, attack in marked(line)])  # fmt: skip

    def _with_an_attack(self, attack: Part) -> Breath:
        """Half of the attacks alone, the others before, after or within something honest."""
        where = self._chance.random()
        before, after = (self._some_of(self._one_honest()) for _ in range(2))
        if where < 0.5:
            return [attack]
        if where < 0.725:
            return [before, self._glue(), attack]
        return [attack, self._glue(), after] if where < 0.875 else [before, self._glue(), attack, self._glue(), after]

    def _honestly(self, part: Part) -> Breath:
        """Recognised speech is full of scraps, and of sentences that run into each other."""
        what = self._chance.random()
        if what < 0.3:
            return [self._scrap(part)]
        return [part, self._glue(), self._one_honest(of=self._honest)] if what < 0.55 else [part]

    def _one_honest(self, of: Sequence[tuple[str, Kind]] | None = None) -> Part:
        said, kind = self._chance.choice(of or (self._honest if self._chance.random() < 0.3 else self._accounts))
        return Part(_heard(said), *kind)

    def _some_of(self, part: Part) -> Part:
        """Its beginning or its end, or the whole."""
        if len(part.words) <= 5 or self._chance.random() < 0.6:
            return part
        at = self._chance.randrange(3, len(part.words))
        return part._replace(words=part.words[:at] if self._chance.random() < 0.5 else part.words[at:])

    def _scrap(self, part: Part) -> Part:
        length = self._chance.randrange(1, 9)
        at = self._chance.randrange(max(1, len(part.words) - length + 1))
        return Part(part.words[at : at + length], part.injection)

    def _glue(self) -> Part:
        return Part(self._chance.choice(GLUE).split())

    def _spoken(self, sentence: str) -> str:
        """The sentence as it may be said and recognised."""
        if self._chance.random() < 0.4:
            return sentence
        for way in (simple_grammar, accented):
            sentence = way(sentence) if self._chance.random() < 0.12 else sentence
        words = sentence.split()
        if len(words) > 4 and self._chance.random() < 0.3:  # a restart
            at, length = self._chance.randrange(len(words) - 3), self._chance.choice((1, 2, 2, 3))
            words[at:at] = words[at : at + length]
        lead = self._chance.choice(LEAD_INS) if self._chance.random() < 0.4 else ""
        return lead + " ".join(words)


def _said(breath: Breath) -> Breath:
    return [part for part in breath if part.words]
