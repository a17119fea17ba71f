"""Write the scorecard on the home page: the bundled interview, as the running system's models assess it.

The home page of somebody who is signed out shows `serve_app/web/sample_scorecard.json`. Run this after a change of the
default models or of their rubric.
"""

import json
from typing import Any

from serve_app.settings import ROOT

TARGET = ROOT / "serve_app" / "web" / "sample_scorecard.json"


def write_sample_picture(job: dict[str, Any]) -> None:
    """Write what the home page shows of a completed job of the bundled interview."""
    TARGET.write_text(json.dumps(picture_of(job), indent=2, ensure_ascii=False) + "\n", "utf-8")


def picture_of(job: dict[str, Any]) -> dict[str, Any]:
    """Role, recommendation, model, and each competency's score with the first sentence that it rests on."""
    assessment = job["result"]["assessment"]
    names = {one["slug"]: one["name"] for one in job["result"]["rubric"]["competencies"]}
    return {
        "role_title": job["role_title"],
        "recommendation": assessment["recommendation"],
        "model": assessment["model"],
        "levels": [_level(names[slug], score) for slug, score in assessment["scores"].items()],
    }


def _level(name: str, score: dict[str, Any]) -> dict[str, Any]:
    first = next(iter(score["evidence"]), None)
    return {
        "name": name,
        "score": score["score"],
        "reason": score["reason"],
        "quote": first and first["quote"],
        "start": first and first["start"],
    }
