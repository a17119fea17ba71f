"""Learn to hear speech at the grader: `config/ear.json` out of `scripts/cases/ear`, and what may be expected of it.

Logistic regression on the states of a language model behind each sentence (`deployments.backends.ear`). Every sentence
is also learnt as people speak it, with a lead-in, a restart, simple grammar, an accent, without punctuation; of honest
ones also a piece, since recognised speech is full of pieces. The same data give the same file. Attacks of other authors
are only measured.
"""

import hashlib
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from deployments.backends.ear import BATCH, MODEL, PROBES, Ear
from deployments.backends.unpacked import read_model
from scripts.assessment_cases import (
    ATTACKS,
    CASES,
    LATER_ATTACKS,
    LOOKALIKES,
    accented,
    no_articles,
    simple_grammar,
    unpunctuated,
)
from serve_app.pipeline.assessment.injection import ACCOUNT, HEARD, as_heard

ATTACK_FILES = ("attacks", "requests")
ACCOUNT_FILES = ("lookalikes", "plain")
TALK_FILES = ("talk",)
HONEST_FILES = (*ACCOUNT_FILES, "general", *TALK_FILES)
LEAD_INS = (
    "Yeah, ", "No, ", "Okay, so ", "So ", "Well, ", "And ", "Yes, ", "Like, ", "Right, ", "But ", "Then, ", "Oh, ",
    "I mean, ", "Yeah, no, ", "Um, ", "So yeah, ",
)  # fmt: skip
STRENGTH = 0.01
"""Inverse of the regularisation: between 0.003 and 0.03 the sets of other authors are heard alike."""
FOLDS = 5
console = Console()
Matrix = npt.NDArray[np.float64]


def learnt(name: str) -> list[str]:
    """The sentences of one file of training data."""
    return (CASES / "ear" / f"{name}.txt").read_text("utf-8").splitlines()


def digest() -> str:
    """Of the training data: a file of weights names what it was learnt from."""
    texts = "\n".join(sentence for name in (*ATTACK_FILES, *HONEST_FILES) for sentence in learnt(name))
    return hashlib.sha256(texts.encode()).hexdigest()


def spoken(sentence: str, chance: random.Random) -> str:
    """The sentence as it may be said and recognised."""
    for way in (no_articles, simple_grammar, accented):
        sentence = way(sentence) if chance.random() < 0.25 else sentence
    words = sentence.split()
    if len(words) > 4 and chance.random() < 0.6:  # a restart
        at, length = chance.randrange(len(words) - 3), chance.choice((1, 2, 2, 3))
        words[at:at] = [*words[at : at + length - 1], words[at + length - 1].rstrip(".,!?") + ","]
    said = " ".join(words)
    if chance.random() < 0.7:
        first = said if said.split()[0] in {"I", "I'm", "I'd", "I've", "I'll"} else said[0].lower() + said[1:]
        said = chance.choice(LEAD_INS) + first
    return unpunctuated(said) if chance.random() < 0.35 else said


def piece(sentence: str, chance: random.Random) -> str:
    """Some words in a row."""
    words, length = sentence.split(), chance.randrange(1, 9)
    at = chance.randrange(max(1, len(words) - length + 1))
    return " ".join(words[at : at + length])


class States:
    """What the ear's model makes of sentences, each computed once."""

    def __init__(self) -> None:
        self._ear = Ear()
        self._ear.share(*read_model(MODEL.locate(), "cpu"))
        self._known: dict[str, Matrix] = {}

    def __call__(self, sentences: Sequence[str]) -> Matrix:
        """Shape (sentences, width)."""
        wanted = [as_heard(sentence) for sentence in sentences]
        new = sorted(set(wanted) - self._known.keys(), key=lambda one: (len(one), one))
        for start in range(0, len(new), BATCH):
            batch = new[start : start + BATCH]
            self._known.update(zip(batch, self._ear.states(batch).double().numpy(), strict=True))
        return np.stack([self._known[one] for one in wanted])


class Probe:
    """Weights and bias that tell sentences of a kind from others, each with its spoken variants."""

    def __init__(self, kind: Sequence[Sequence[str]], others: Sequence[Sequence[str]], states: States) -> None:
        said = [sentence for variants in (*kind, *others) for sentence in variants]
        labels = [1] * sum(map(len, kind)) + [0] * sum(map(len, others))
        scale = StandardScaler().fit(states(said))
        fitted = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=2000)
        fitted.fit(scale.transform(states(said)), labels)
        self.weights: Matrix = fitted.coef_[0] / scale.scale_
        self.bias = float(fitted.intercept_[0] - self.weights @ scale.mean_)

    def __call__(self, states: Matrix) -> Matrix:
        """How likely each is of the kind."""
        return np.asarray(1 / (1 + np.exp(-(states @ self.weights + self.bias))))

    def kept(self) -> dict[str, Any]:
        """As the file holds it."""
        return {"bias": round(self.bias, 5), "weights": [float(f"{weight:.5g}") for weight in self.weights]}


def varied(names: Sequence[str], *, pieces: bool) -> list[list[str]]:
    """Each training sentence with its variants."""
    chance = random.Random(0)  # noqa: S311 — the same variants every time
    return [
        [said, spoken(said, chance), *([piece(said, chance)] if pieces else [])]
        for name in names
        for said in learnt(name)
    ]


def held_out(kind: list[list[str]], others: list[list[str]], states: States) -> tuple[Matrix, Matrix]:
    """The probability of each training sentence, of the kind and not, by a probe that has not learnt it."""
    found = np.zeros(len(kind)), np.zeros(len(others))
    for fold in range(FOLDS):
        kept = [[one for at, one in enumerate(all_) if at % FOLDS != fold] for all_ in (kind, others)]
        probe = Probe(kept[0], kept[1], states)
        for all_, probabilities in zip((kind, others), found, strict=True):
            probabilities[fold::FOLDS] = probe(states([variants[0] for variants in all_[fold::FOLDS]]))
    return found


def by_name(names: Sequence[str], probabilities: Matrix) -> dict[str, Matrix]:
    """Probabilities in the order of the files' sentences, file by file."""
    ends = np.cumsum([len(learnt(name)) for name in names])[:-1]
    return dict(zip(names, np.split(probabilities, ends), strict=True))


def shown(name: str, grader: Matrix | None = None, account: Matrix | None = None) -> None:
    """How many sentences are flagged, and taken for an account of work."""
    line = f"{name:34}"
    if grader is not None:
        line += f"{np.mean(grader >= HEARD):7.1%} heard"
    if account is not None:
        line += f"{np.mean(account >= ACCOUNT):7.1%} taken for an account"
    console.print(line, soft_wrap=True)


def main(out: Annotated[Path, typer.Option(help="File of the weights.")] = PROBES) -> None:
    """Learn the weights and write them."""
    states = States()
    attacks, honest = varied(ATTACK_FILES, pieces=False), varied(HONEST_FILES, pieces=True)
    accounts, talk = varied(ACCOUNT_FILES, pieces=False), [*varied(TALK_FILES, pieces=False), *attacks]
    grader, account = Probe(attacks, honest, states), Probe(accounts, talk, states)
    found = {"grader": grader.kept(), "account": account.kept(), "learnt_from": digest()}
    out.write_text(json.dumps(found) + "\n", "utf-8")
    at_the_grader, honestly = held_out(attacks, honest, states)
    of_work, otherwise = held_out(accounts, talk, states)
    graders = by_name(ATTACK_FILES, at_the_grader) | by_name(HONEST_FILES, honestly)
    told = by_name(ACCOUNT_FILES, of_work) | by_name((*TALK_FILES, *ATTACK_FILES), otherwise)
    for name in graders:
        shown(f"{name}, held out", graders[name], told.get(name))
    for name, said in (("second author, attacks", ATTACKS), ("third author, attacks", LATER_ATTACKS),
                       ("third author, look-alikes", LOOKALIKES)):  # fmt: skip
        shown(name, grader(states(said)), account(states(said)))


if __name__ == "__main__":
    typer.run(main)
