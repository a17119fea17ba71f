"""Thresholds of quality on real recordings: the service's flow, from the file to the result, on the default models.

A call and two meetings of half a minute each. Measured figures stand beside each threshold; `make eval` measures all.
"""

import pytest

from deployments.profiles import load_profile
from scripts.evaluation.transcript import scores
from scripts.evaluation.transcript_service import Service
from scripts.evaluation.transcript_sets import items
from tests.support.world import EVAL

pytestmark = pytest.mark.skipif(not EVAL.is_dir(), reason="the evaluation recordings are not beside this checkout")

LIMITS = {
    "phone call": {"wer": 18, "cpwer": 21, "der": 5},  # 14.9, 17.2, 0.0
    "meetings": {"wer": 28, "cpwer": 45, "der": 17},  # 24.7, 40.8, 12.8: four people, and they talk at once
}
MIN_COVERAGE = 85  # 94.1, 91.2


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, float]]:
    service = Service(load_profile("embedded"))
    chosen = [item for item in items(EVAL, quick=True) if item.group in LIMITS]
    read = {item.path: (item, service.read(item)) for item in chosen}
    service.close()
    return scores(read, {item.path: item.recording().duration_s for item in chosen})


@pytest.mark.parametrize("group", LIMITS)
def test_errors_stay_below_their_thresholds(figures: dict[str, dict[str, float]], group: str) -> None:
    """Words, words with their speakers, and speakers over time."""
    found = figures[group]
    assert {name: found[name] for name, limit in LIMITS[group].items() if found[name] > limit} == {}


@pytest.mark.parametrize("group", LIMITS)
def test_speech_is_covered(figures: dict[str, dict[str, float]], group: str) -> None:
    """Most of the speech that was found has words."""
    assert figures[group]["coverage"] >= MIN_COVERAGE
