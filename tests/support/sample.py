"""The bundled interview: its recording is `world.SAMPLE`, this is its script."""

import json

from serve_app.pipeline.types import AssessmentRequest, Utterance
from serve_app.verticals.catalog import Catalog
from tests.support.world import ROOT

INTERVIEW = json.loads((ROOT / "config/sample/interview.json").read_text("utf-8"))
ANSWERS = [turn["text"] for turn in INTERVIEW["turns"] if turn["speaker"] == "candidate"]


def assessment_request() -> AssessmentRequest:
    """The bundled interview with the product's rubric."""
    utterances = tuple(
        Utterance(turn["start"], turn["end"], turn["speaker"], turn["text"]) for turn in INTERVIEW["turns"]
    )
    rubric = Catalog.read(ROOT / "config/verticals").get("recruitscreen").assessment.rubric()
    return AssessmentRequest(INTERVIEW["role_title"], utterances, "candidate", rubric)
