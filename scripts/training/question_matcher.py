"""Trains the question matcher: the questions of `scripts/training/answers` to `config/question_matcher.safetensors`.

Questions for authors' own competencies, and those of `other_questions.txt` (small talk, formalities, consultations,
meetings), are what the product's competencies are told from.

First on all authors but a few, who then measure it: their questions and their own competencies are unknown to it. Then
on all authors. Only the classifier and three numbers are trained, so it takes a minute.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
import typer
from rich.console import Console
from safetensors.torch import save_file

from deployments.backends.assessor.question_matcher import (
    COMPARED,
    LEARNT,
    QuestionEncoder,
    identity,
    likeness,
    texts_of,
)
from scripts.training.graded_answers import product_competencies, read_graded_answers
from scripts.training.sentences import read_lines
from serve_app.pipeline.types import Competency
from serve_app.settings import Paths

TARGET = Paths().question_matcher_file
FOLDS = 4
"""Parts of the authors that measure in turn."""
DECAY = 4e-5
"""Weight decay (L2) of the classifier. A third or three times as much changes nothing."""
STEPS = 100
OTHER_QUESTIONS = Path(__file__).parent / "other_questions.txt"
console = Console()


class Asked(NamedTuple):
    """A question, and the competency it was written for."""

    author: str
    competency: Competency
    question: str
    of_product: bool


def read_questions() -> list[Asked]:
    """Return each question of each author once. Answers to another question do not count."""
    return list({
        (one.author, one.competency.slug, one.question): Asked(one.author, one.competency, one.question, one.of_product)
        for one in read_graded_answers()
        if one.style != "off_topic"
    }.values())  # fmt: skip


def digest() -> str:
    """SHA-256 of all that the question matcher learns from."""
    found = hashlib.sha256(OTHER_QUESTIONS.read_bytes())
    for one in read_questions():
        found.update(f"{identity(one.competency)} {texts_of(one.competency)} {one.question}\n".encode())
    return found.hexdigest()


class Data:
    """Vectors of all questions and of each author's own competencies."""

    def __init__(self, encoder: QuestionEncoder, asked: Sequence[Asked]) -> None:
        self.asked = asked
        self.learnt = list(product_competencies().values())
        self.vectors = encoder.vectors([one.question for one in asked])
        self.others = encoder.vectors(read_lines(OTHER_QUESTIONS))
        self.own = {
            author: list({one.competency.slug: one.competency for one in asked
                          if one.author == author and not one.of_product}.values())
            for author in {one.author for one in asked}
        }  # fmt: skip
        self.rubrics = {author: encoder.competencies(own) for author, own in self.own.items()}

    def classes(self) -> torch.Tensor:
        """Return the number of each question's competency; questions for authors' own competencies are others."""
        slugs = [competency.slug for competency in self.learnt]
        return torch.tensor([slugs.index(one.competency.slug) if one.of_product else len(slugs) for one in self.asked])

    def compared(self, at: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return likeness and truth of each of these questions with each competency of its author's rubric."""
        features = [likeness(self.vectors[[n]], self.rubrics[self.asked[n].author])[0] for n in at]
        truth = [[own == self.asked[n].competency for own in self.own[self.asked[n].author]] for n in at]
        return torch.cat(features), torch.tensor(truth).flatten().float()


def train(data: Data, at: Sequence[int]) -> dict[str, torch.Tensor]:
    """Train classifier and comparison on these questions."""
    numbers, others = list(at), torch.full((len(data.others),), len(data.learnt))
    vectors, classes = torch.cat((data.vectors[numbers], data.others)), torch.cat((data.classes()[numbers], others))
    weight = torch.zeros(len(data.learnt) + 1, data.vectors.shape[1], requires_grad=True)
    bias = torch.zeros(len(data.learnt) + 1, requires_grad=True)
    _minimise(
        [weight, bias],
        lambda: torch.nn.functional.cross_entropy(vectors @ weight.T + bias, classes) + DECAY * weight.square().sum(),
    )
    features, truth = data.compared(numbers)
    compared = torch.zeros(3, requires_grad=True)
    _minimise(
        [compared],
        lambda: torch.nn.functional.binary_cross_entropy_with_logits(features @ compared[:2] + compared[2], truth),
    )
    return {"weight": weight.detach(), "bias": bias.detach(), "compared": compared.detach()}


def _minimise(parameters: list[torch.Tensor], loss: Callable[[], torch.Tensor]) -> None:
    optimizer = torch.optim.LBFGS(parameters, max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]
        return value.item()

    optimizer.step(closure)  # type: ignore[no-untyped-call]


def measure(data: Data) -> dict[str, dict[str, float]]:
    """Return recall and precision on each part of the authors, learnt from the others."""
    authors = sorted(data.own)
    learnt, compared = Counts(), Counts()
    classes = torch.nn.functional.one_hot(data.classes())[:, :-1].bool()
    for fold in range(FOLDS):
        unseen = set(authors[fold::FOLDS])
        at = [number for number, one in enumerate(data.asked) if one.author in unseen]
        weights = train(data, [number for number in range(len(data.asked)) if number not in set(at)])
        chances = torch.softmax(data.vectors[at] @ weights["weight"].T + weights["bias"], 1)[:, :-1]
        learnt.add(chances >= LEARNT, classes[at])
        features, truth = data.compared(at)
        chances = torch.sigmoid(features @ weights["compared"][:2] + weights["compared"][2])
        compared.add(chances >= COMPARED, truth.bool())
    return {"learnt": learnt.figures(), "compared": compared.figures()}


class Counts:
    """What was found, what was right, and what was there."""

    def __init__(self) -> None:
        self.found = self.right = self.there = 0

    def add(self, found: torch.Tensor, there: torch.Tensor) -> None:
        """Count decisions against the truth."""
        self.found += int(found.sum())
        self.right += int((found & there).sum())
        self.there += int(there.sum())

    def figures(self) -> dict[str, float]:
        """Return recall and precision."""
        return {"recall": round(self.right / self.there, 3), "precision": round(self.right / self.found, 3)}


def main(out: Annotated[Path, typer.Option(help="File of the weights.")] = TARGET) -> None:
    """Measure the question matcher on authors held out, then train it on all authors and write the weights."""
    data = Data(QuestionEncoder(), read_questions())
    figures = measure(data)
    console.print_json(json.dumps(figures))
    metadata = {
        "learnt": json.dumps([identity(competency) for competency in data.learnt]),
        "figures": json.dumps(figures),
        "learnt_from": digest(),
    }
    save_file(train(data, range(len(data.asked))), out, metadata)


if __name__ == "__main__":
    typer.run(main)
