"""Training examples of the injection tagger: sentences by many authors, mixed as people speak.

Each folder of `data` holds the sentences of one author, who saw none of the others'; `validation` holds those of three
more, on which limits are chosen. `attacks` address the assessor. `inside` holds attacks within an account of work,
between double brackets. `accounts` tell of work, many of them in the words of attacks. `general` is said in interviews
in general. `talk` tells of no work: courtesies, pleas, self-praise.
"""

import hashlib
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from scripts.training.sentences import read_lines, split_marked
from scripts.training.speech_styles import accented, simple_grammar
from serve_app.pipeline.assessment.injection.spans import tagger_words

DATA = Path(__file__).parent / "data"
"""One folder per author."""
LEAD_INS = (
    "Yeah, ", "No, ", "Okay, so ", "So ", "Well, ", "And ", "Yes, ", "Like, ", "Right, ", "But ", "Then, ", "Oh, ",
    "I mean, ", "Yeah, no, ", "Um, ", "So yeah, ",
)  # fmt: skip
CONJUNCTIONS = (
    "and", "and", "so", "and then", "but", "also", "okay so", "because", "you know", "oh and", "well", *[""] * 4,
)  # fmt: skip
"""Words between two sentences that are said in one breath; in 4 of 15 cases there are none."""


class Part(NamedTuple):
    """Consecutive words with their labels: 1 for yes, 0 for no, None where the label is unknown."""

    words: Sequence[str]
    injection: int | None = None
    work: int | None = None


class Labels(NamedTuple):
    """Labels of all words of a file. See `WordTags`."""

    injection: int
    work: int | None


LABELS: Mapping[str, Labels] = {
    "attacks": Labels(1, 0),
    "accounts": Labels(0, 1),
    "general": Labels(0, None),
    "talk": Labels(0, 0),
}
"""Labels by kind of file."""
Example = list[Part]
"""One training example: what is said in one breath."""


def read_sentences(kind: str, twice: Collection[str] = ()) -> list[str]:
    """Return the sentences of a kind, by all authors; those of the authors in `twice` come twice."""
    authors = sorted(folder for folder in DATA.iterdir())
    return [
        sentence for author in authors for sentence in read_lines(author / f"{kind}.txt") * (1 + (author.name in twice))
    ]


def digest() -> str:
    """Return the SHA-256 of all sentences. The file of weights names the sentences it was trained on by it."""
    texts = "\n".join(sentence for kind in (*LABELS, "inside") for sentence in read_sentences(kind))
    return hashlib.sha256(texts.encode()).hexdigest()


def training_examples(seed: int, twice: Collection[str] = ()) -> list[Example]:
    """Compose examples from all sentences: some unchanged, some with stumbles, joined to others or cut off.

    Two examples come from each sentence of the authors in `twice`.
    """
    return list(_Composer(seed, twice).compose())


@cache
def _words(sentence: str) -> tuple[str, ...]:
    return tuple(tagger_words(sentence))


class _Composer:
    """Composes examples at random. The same seed gives the same examples."""

    def __init__(self, seed: int, twice: Collection[str] = ()) -> None:
        self._random = random.Random(seed)  # noqa: S311 — reproducible, not secret
        self._twice = twice
        self._sentences = {kind: read_sentences(kind, twice) for kind in LABELS}
        self._honest = [
            (sentence, LABELS[kind])
            for kind, sentences in self._sentences.items()
            for sentence in sentences
            if kind != "attacks"
        ]
        self._accounts = [(sentence, LABELS["accounts"]) for sentence in self._sentences["accounts"]]

    def compose(self) -> Iterator[Example]:
        for kind, sentences in self._sentences.items():
            for sentence in sentences:
                part = Part(_words(self._speak(sentence)), *LABELS[kind])
                yield _non_empty(self._embed_attack(part) if part.injection else self._vary_honest(part))
        for line in read_sentences("inside", self._twice):
            yield _non_empty(
                [
                    Part(_words(text), *LABELS["attacks" if is_attack else "accounts"])
                    for text, is_attack in split_marked(line)
                ]
            )

    def _embed_attack(self, attack: Part) -> Example:
        """Leave half of the attacks alone; put the others before, after or within something honest."""
        share = self._random.random()
        before, after = (self._cut(self._choose_honest()) for _ in range(2))
        if share < 0.5:
            return [attack]
        if share < 0.725:
            return [before, self._conjunction(), attack]
        if share < 0.875:
            return [attack, self._conjunction(), after]
        return [before, self._conjunction(), attack, self._conjunction(), after]

    def _vary_honest(self, part: Part) -> Example:
        """Cut or join honest speech: recognised speech is full of fragments and of sentences that run on."""
        share = self._random.random()
        if share < 0.3:
            return [self._fragment(part)]
        if share < 0.55:
            return [part, self._conjunction(), self._choose_honest(self._honest)]
        return [part]

    def _choose_honest(self, sentences: Sequence[tuple[str, Labels]] | None = None) -> Part:
        sentence, labels = self._random.choice(
            sentences or (self._honest if self._random.random() < 0.3 else self._accounts)
        )
        return Part(_words(sentence), *labels)

    def _cut(self, part: Part) -> Part:
        """Return the beginning, the end or the whole of a part."""
        if len(part.words) <= 5 or self._random.random() < 0.6:
            return part
        cut = self._random.randrange(3, len(part.words))
        return part._replace(words=part.words[:cut] if self._random.random() < 0.5 else part.words[cut:])

    def _fragment(self, part: Part) -> Part:
        """Return a few words of a part. They may not tell whether it is about work."""
        length = self._random.randrange(1, 9)
        start = self._random.randrange(max(1, len(part.words) - length + 1))
        return Part(part.words[start : start + length], part.injection)

    def _conjunction(self) -> Part:
        return Part(self._random.choice(CONJUNCTIONS).split())

    def _speak(self, sentence: str) -> str:
        """Return the sentence as it may be said and recognised."""
        if self._random.random() < 0.4:
            return sentence
        for style in (simple_grammar, accented):
            sentence = style(sentence) if self._random.random() < 0.12 else sentence
        words = sentence.split()
        if len(words) > 4 and self._random.random() < 0.3:  # a restart
            start, length = self._random.randrange(len(words) - 3), self._random.choice((1, 2, 2, 3))
            words[start:start] = words[start : start + length]
        lead_in = self._random.choice(LEAD_INS) if self._random.random() < 0.4 else ""
        return lead_in + " ".join(words)


def _non_empty(example: Example) -> Example:
    return [part for part in example if part.words]
