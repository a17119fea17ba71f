"""Schema of a rubric, in a product's file and in a caller's request. Unknown keys are refused.

A rubric assesses what the candidate said about the work. A rubric that asks for accent, fluency, emotion, age, gender,
origin or health is refused, both in a file and in a request.
"""

import hashlib
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from serve_app.pipeline.assessment.protected_attributes import protected_attribute
from serve_app.pipeline.types import Competency
from serve_app.storage.text import storable

LEVELS = (1, 2, 3, 4, 5)

FORM = (
    'Your own rubric, a JSON object: {"version": "…", "competencies": [{"slug", "name", "description", "anchors": '
    '{"1": "…", …, "5": "…"}, "points": ["…"], "cues": ["…"], "probe": "…"}]}. `points` are what a strong '
    "answer says. If sent, they decide the score. Without `version`, the hash of the content is the version."
)


class Strict(BaseModel):
    """Base of all file schemas. Refuses unknown keys, so that a misspelt one is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def _checked_text(text: str) -> str:
    if not storable(text):
        raise ValueError("must not contain NUL or unpaired surrogate characters")
    named = protected_attribute(text)
    if named:
        raise ValueError(
            f"asks for {named.attribute} ('{named.word}'), which must not be assessed. Take it out and ask for "
            f"statements about the work. If '{named.word}' has another sense here, say so in the same sentence, as in "
            f"'{named.example}'"
        )
    return text


def _int_levels(anchors: Any) -> Any:
    """Level numbers as integers. JSON keys are strings."""
    if not isinstance(anchors, dict):
        return anchors
    return {int(key) if str(key).isdecimal() else key: text for key, text in anchors.items()}


def _all_levels(anchors: dict[int, str]) -> dict[int, str]:
    if set(anchors) != set(LEVELS):
        raise ValueError("must have exactly the levels 1, 2, 3, 4 and 5")
    return anchors


def _unique_slugs(competencies: "tuple[CompetencySpec, ...]") -> "tuple[CompetencySpec, ...]":
    slugs = [competency.slug for competency in competencies]
    duplicate = next((slug for slug in slugs if slugs.count(slug) > 1), None)
    if duplicate:
        raise ValueError(f"Slugs must be unique. '{duplicate}' is used more than once")
    return competencies


Short = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_checked_text)]
Long = Annotated[str, Field(min_length=1, max_length=400), AfterValidator(_checked_text)]


class CompetencySpec(Strict):
    """One competency. The fields mean what `Competency` says."""

    slug: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$"), AfterValidator(_checked_text)]
    name: Short
    description: Long
    anchors: Annotated[dict[int, Long], BeforeValidator(_int_levels), AfterValidator(_all_levels)]
    cues: Annotated[tuple[Short, ...], Field(max_length=80)] = ()
    probe: Annotated[str, Field(max_length=400), AfterValidator(_checked_text)] = ""
    points: Annotated[tuple[Long, ...], Field(max_length=12)] = ()
    of_role: bool = False


Competencies = Annotated[
    tuple[CompetencySpec, ...], Field(min_length=1, max_length=12), AfterValidator(_unique_slugs)
]  # fmt: skip


class CallerRubric(Strict):
    """A rubric that a caller submits with a job."""

    version: Annotated[str, Field(pattern=r"^[\w.+-]{1,64}$")] | None = None
    competencies: Competencies

    def version_or_hash(self) -> str:
        """The caller's version, or a hash of the content."""
        content = self.model_dump_json(exclude={"version"})
        return self.version or f"sha256-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def as_competencies(specs: Iterable[CompetencySpec]) -> tuple[Competency, ...]:
    """Competencies in the pipeline's type."""
    return tuple(Competency(**{**spec.model_dump(), "anchors": dict(spec.anchors)}) for spec in specs)
