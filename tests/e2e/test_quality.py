"""Quality of the default models on real recordings, through the service's own flow.

The recordings are a phone call and two meetings of half a minute each. Measured figures stand beside the thresholds;
`make eval` measures all recordings.
"""

import pytest

from deployments.profiles import load_profile
from scripts.evaluation.transcript.measure import score_sets
from scripts.evaluation.transcript.recordings import list_recordings
from scripts.evaluation.transcript.service import Service
from tests.support.world import EVAL

pytestmark = pytest.mark.skipif(not EVAL.is_dir(), reason="the evaluation recordings are not beside this checkout")

LIMITS = {
    "phone call": {"wer": 18, "cpwer": 21, "der": 5},  # 13.8, 18.4, 0.0
    "meetings": {"wer": 28, "cpwer": 45, "der": 17},  # tiny.en 24.7, 40.8, 12.8: four people who overlap
}
MIN_COVERAGE = 85  # 96.5 for the call


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, float]]:
    service = Service(load_profile("embedded"))
    chosen = [item for item in list_recordings(EVAL, quick=True) if item.group in LIMITS]
    outputs = {item.path: (item, service.transcribe(item)) for item in chosen}
    service.close()
    return score_sets(outputs, {item.path: item.decode().duration_s for item in chosen})


@pytest.mark.parametrize("group", LIMITS)
def test_errors_stay_below_their_thresholds(figures: dict[str, dict[str, float]], group: str) -> None:
    """WER, cpWER and DER (per cent) stay below their thresholds."""
    found = figures[group]
    assert {name: found[name] for name, limit in LIMITS[group].items() if found[name] > limit} == {}


@pytest.mark.parametrize("group", LIMITS)
def test_speech_is_covered(figures: dict[str, dict[str, float]], group: str) -> None:
    """Most of the detected speech has words."""
    assert figures[group]["coverage"] >= MIN_COVERAGE
