"""What a rubric may say, in a product's file and in a caller's request. Unknown keys are refused.

A rubric asks for what was said about the work. One that asks for accent, fluency, emotion, age, gender, origin or
health is refused, whoever wrote it.
"""

import hashlib
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from serve_app.pipeline.assessment.protected_attributes import barred_subject
from serve_app.pipeline.types import Competency
from serve_app.storage.text import storable

LEVELS = (1, 2, 3, 4, 5)

FORM = (
    'A JSON object with your own rubric: {"version": "…", "competencies": [{"slug", "name", "description", "anchors": '
    '{"1": "…", …, "5": "…"}, "points": ["…"], "cues": ["…"], "probe": "…"}]}. `points` are what a strong answer says; '
    "where they are given, they decide the score. Without `version` its content hash is the version."
)


class Strict(BaseModel):
    """Base of all file schemas: a misspelt key is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def _fair(text: str) -> str:
    if not storable(text):
        raise ValueError("must not contain NUL or unpaired surrogate characters")
    subject = barred_subject(text)
    if subject:
        raise ValueError(f"asks for {subject}, which must not be assessed; ask for what is said about the work")
    return text


def _whole_levels(anchors: Any) -> Any:
    """JSON has only texts as keys."""
    if not isinstance(anchors, dict):
        return anchors
    return {int(key) if str(key).isdecimal() else key: text for key, text in anchors.items()}


def _all_levels(anchors: dict[int, str]) -> dict[int, str]:
    if set(anchors) != set(LEVELS):
        raise ValueError("needs exactly the levels 1, 2, 3, 4 and 5")
    return anchors


def _told_apart(competencies: "tuple[CompetencySpec, ...]") -> "tuple[CompetencySpec, ...]":
    slugs = [competency.slug for competency in competencies]
    twice = next((slug for slug in slugs if slugs.count(slug) > 1), None)
    if twice:
        raise ValueError(f"holds '{twice}' twice; every slug must be another")
    return competencies


Short = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_fair)]
Long = Annotated[str, Field(min_length=1, max_length=400), AfterValidator(_fair)]


class CompetencySpec(Strict):
    """One competency as it is written."""

    slug: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$"), AfterValidator(_fair)]
    name: Short
    description: Long
    anchors: Annotated[dict[int, Long], BeforeValidator(_whole_levels), AfterValidator(_all_levels)]
    cues: Annotated[tuple[Short, ...], Field(max_length=80)] = ()
    probe: Annotated[str, Field(max_length=400), AfterValidator(_fair)] = ""
    points: Annotated[tuple[Long, ...], Field(max_length=12)] = ()
    of_role: bool = False


Competencies = Annotated[
    tuple[CompetencySpec, ...], Field(min_length=1, max_length=12), AfterValidator(_told_apart)
]  # fmt: skip


class CallerRubric(Strict):
    """A rubric that comes with a job."""

    version: Annotated[str, Field(pattern=r"^[\w.+-]{1,64}$")] | None = None
    competencies: Competencies

    def version_or_hash(self) -> str:
        """The caller's version, or one that changes with the content."""
        content = self.model_dump_json(exclude={"version"})
        return self.version or f"sha256-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def as_competencies(specs: Iterable[CompetencySpec]) -> tuple[Competency, ...]:
    """Competencies as the pipeline takes them."""
    return tuple(Competency(**{**spec.model_dump(), "anchors": dict(spec.anchors)}) for spec in specs)
