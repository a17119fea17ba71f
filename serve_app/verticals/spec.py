"""Schema of a product's YAML file. Unknown keys are refused."""

from typing import Annotated, Any, Literal

from pydantic import Field

from serve_app.pipeline.types import Rubric
from serve_app.verticals.rubric import CallerRubric, Competencies, Strict, as_competencies


class AudioInput(Strict):
    """Limits of the `file` field."""

    kind: Literal["audio"] = "audio"
    max_bytes: Annotated[int, Field(gt=0)] = 100_000_000
    max_duration_s: Annotated[float, Field(gt=0)] = 4 * 3600.0


class Price(Strict):
    """Price of a job."""

    credits_per_minute: Annotated[int, Field(ge=0)] = 1
    credits_per_assessment: Annotated[int, Field(ge=0)] = 1
    """Of a further assessment of a transcript, whatever its length."""


class Demo(Strict):
    """Limits of anonymous demos."""

    max_duration_s: Annotated[float, Field(gt=0)] = 300.0
    max_bytes: Annotated[int, Field(gt=0)] = 20_000_000
    per_address: str = Field(default="3/hour", description="Limit of demos per client address.")
    total: str = Field(default="60/hour", description="Limit of demos of all addresses together.")


class AssessmentSpec(Strict):
    """The product's rubric, and the version of the prompts that apply it."""

    rubric_version: str
    prompt_version: str
    competencies: Competencies

    def rubric(self, submitted: dict[str, Any] | None = None) -> Rubric:
        """The rubric in the pipeline's type: the one submitted with the job, or the product's."""
        if submitted is not None:
            caller_rubric = CallerRubric.model_validate(submitted)
            return Rubric(
                caller_rubric.version_or_hash(), as_competencies(caller_rubric.competencies), self.prompt_version
            )
        return Rubric(self.rubric_version, as_competencies(self.competencies), self.prompt_version)


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
        """The product with the limits and the price (0) of a demo. Needs `demo`."""
        assert self.demo is not None
        limits = {"max_duration_s": self.demo.max_duration_s, "max_bytes": self.demo.max_bytes}
        return self.model_copy(
            update={"input": self.input.model_copy(update=limits), "price": Price(credits_per_minute=0)}
        )
