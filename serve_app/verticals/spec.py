"""What a product's file may say. Unknown keys are refused."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from serve_app.pipeline.types import Competency, Rubric


class Strict(BaseModel):
    """Base of all file schemas: a misspelt key is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AudioInput(Strict):
    """Limits of the `file` field."""

    kind: Literal["audio"] = "audio"
    max_bytes: Annotated[int, Field(gt=0)] = 100_000_000
    max_duration_s: Annotated[float, Field(gt=0)] = 4 * 3600.0


class Price(Strict):
    """What a job costs."""

    credits_per_minute: Annotated[int, Field(ge=0)] = 1


class Demo(Strict):
    """Anonymous trials."""

    max_duration_s: Annotated[float, Field(gt=0)] = 300.0
    max_bytes: Annotated[int, Field(gt=0)] = 20_000_000
    per_address: str = Field(default="3/hour", description="Demos one address may start.")
    total: str = Field(default="60/hour", description="Demos all addresses together may start.")


class CompetencySpec(Strict):
    """One competency as the file writes it."""

    slug: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    name: str
    description: str
    anchors: dict[Literal[1, 2, 3, 4, 5], str]
    cues: tuple[str, ...] = ()
    probe: str = ""


class AssessmentSpec(Strict):
    """The rubric."""

    rubric_version: str
    prompt_version: str
    competencies: Annotated[tuple[CompetencySpec, ...], Field(min_length=1)]

    def rubric(self) -> Rubric:
        """The rubric as the pipeline takes it."""
        competencies = tuple(
            Competency(c.slug, c.name, c.description, dict(c.anchors.items()), c.cues, c.probe)
            for c in self.competencies
        )
        return Rubric(self.rubric_version, competencies, self.prompt_version)


class VerticalSpec(Strict):
    """One product."""

    slug: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,47}$")]
    title: str
    description: str
    input: AudioInput = AudioInput()
    price: Price = Price()
    demo: Demo | None = None
    assessment: AssessmentSpec

    def as_demo(self) -> "VerticalSpec":
        """The product as an anonymous caller gets it: shorter and free. Needs `demo`."""
        assert self.demo is not None
        limits = {"max_duration_s": self.demo.max_duration_s, "max_bytes": self.demo.max_bytes}
        return self.model_copy(
            update={"input": self.input.model_copy(update=limits), "price": Price(credits_per_minute=0)}
        )
