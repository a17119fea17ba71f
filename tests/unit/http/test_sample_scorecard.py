"""The scorecard on the home page is the bundled interview's, as a run of real models gave it."""

import json
import re

from serve_app.http.pages.public import SAMPLE
from tests.support.world import RECRUITSCREEN, ROOT

REFERENCE = json.loads((ROOT / "config" / "sample" / "interview.json").read_text("utf-8"))


def words(text: str) -> set[str]:
    """The words of a text."""
    return set(re.findall(r"[a-z]+", text.lower()))


def test_every_competency_of_the_product_is_on_it() -> None:
    """With the names that the product's file has today."""
    names = [competency.name for competency in RECRUITSCREEN.assessment.competencies]
    assert [level["name"] for level in SAMPLE["levels"]] == names


def test_its_quotes_are_what_the_candidate_says_at_that_time() -> None:
    """Four of five words of each quote are in the reference within ten seconds of its time."""
    quoted = [level for level in SAMPLE["levels"] if level["quote"]]
    assert quoted
    for level in quoted:
        near = [turn for turn in REFERENCE["turns"] if turn["start"] - 10 <= level["start"] <= turn["end"] + 10]
        said = words(" ".join(turn["text"] for turn in near if turn["speaker"] == "candidate"))
        quote = words(level["quote"])
        assert len(quote & said) >= 0.8 * len(quote), level
