"""The bundled interview as a request."""

import json
from collections.abc import Sequence
from dataclasses import replace

from serve_app.pipeline.types import AssessmentRequest, Utterance
from serve_app.settings import ROOT
from serve_app.verticals.catalog import Catalog


def sample_interview() -> AssessmentRequest:
    """Return the bundled interview as it was written, without recognition errors."""
    interview = json.loads((ROOT / "config/sample/interview.json").read_text("utf-8"))
    utterances = tuple(
        Utterance(turn["start"], turn["end"], turn["speaker"], turn["text"]) for turn in interview["turns"]
    )
    rubric = Catalog.read(ROOT / "config/verticals").get("recruitscreen").assessment.rubric()
    return AssessmentRequest(interview["role_title"], utterances, "candidate", rubric)


def only_competencies(request: AssessmentRequest, slugs: Sequence[str]) -> AssessmentRequest:
    """Return the request with only these competencies in its rubric."""
    kept = tuple(competency for competency in request.rubric.competencies if competency.slug in slugs)
    return replace(request, rubric=replace(request.rubric, competencies=kept))
