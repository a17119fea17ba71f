"""Graded answers, the grader's training data: spoken answers with a known level, by authors unknown to each other.

Each folder of `answers` holds the answers of one author, in one field of work: a file of JSON lines per competency, and
`rubric.json` with the author's own competencies. The product's competencies have the anchors of the product's rubric.
`answers/BRIEF.md` is what the authors were given.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serve_app.pipeline.assessment.normalise import normalise
from serve_app.pipeline.types import Competency
from serve_app.settings import ROOT
from serve_app.verticals.catalog import Catalog

ANSWERS = Path(__file__).parent / "answers"
"""One folder per author."""


@dataclass(frozen=True, slots=True)
class GradedAnswer:
    """An answer at a known level, 1 to 5."""

    author: str
    competency: Competency
    question: str
    answer: str
    level: int
    style: str
    of_product: bool
    """Whether the competency is one of the product's, which every author wrote for."""

    @property
    def text(self) -> str:
        """The answer as a judge reads it."""
        return normalise(self.answer)


def product_competencies() -> dict[str, Competency]:
    """The product's competencies by slug."""
    rubric = Catalog.read(ROOT / "config/verticals").get("recruitscreen").assessment.rubric()
    return {competency.slug: competency for competency in rubric.competencies}


def read_graded_answers(folder: Path = ANSWERS) -> list[GradedAnswer]:
    """Read the answers of all authors, in a fixed order."""
    product = product_competencies()
    return [
        answer
        for author in sorted(path for path in folder.iterdir() if path.is_dir())
        for answer in _read_author(author, product)
    ]


def _read_author(folder: Path, product: Mapping[str, Competency]) -> Iterable[GradedAnswer]:
    own = {row["slug"]: _competency(row) for row in json.loads((folder / "rubric.json").read_text("utf-8"))}
    for file in sorted(folder.glob("*.jsonl")):
        yield from read_answer_file(file, folder.name, {**own, **product}, product)


def read_answer_file(
    file: Path, author: str, competencies: Mapping[str, Competency], product: Mapping[str, Competency]
) -> Iterable[GradedAnswer]:
    """Read one file of JSON lines. Skips answers to competencies that are not given."""
    for line in file.read_text("utf-8").splitlines():
        row = json.loads(line)
        slug = row["competency"]
        if slug in competencies:
            yield GradedAnswer(
                author, competencies[slug], row["question"], row["answer"], row["level"], row.get("style", "plain"),
                slug in product,
            )  # fmt: skip


def _competency(row: Mapping[str, Any]) -> Competency:
    anchors = {int(level): text for level, text in row["anchors"].items()}
    return Competency(row["slug"], row["name"], row["description"], anchors, probe=row["question"])


def digest() -> str:
    """SHA-256 of all that the grader learns from."""
    found = hashlib.sha256()
    for answer in read_graded_answers():
        found.update(f"{answer.competency.anchors} {answer.question} {answer.answer} {answer.level}\n".encode())
    return found.hexdigest()
