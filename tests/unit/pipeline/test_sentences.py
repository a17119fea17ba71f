"""Words and times as people read them."""

import pytest

from serve_app.pipeline.exports import clock
from serve_app.pipeline.sentences import bare


@pytest.mark.parametrize(
    ("word", "shown"),
    [("milliseconds.", "milliseconds"), ("“lag,”", "lag"), ("(why?)", "why"), ("C++", "C++"), (".NET", ".NET")],
)
def test_a_word_stands_in_our_sentence_without_its_own_punctuation(word: str, shown: str) -> None:
    """A note that ends with it has one stop; names of tools keep their signs."""
    assert bare(word) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(0.0, "0:00"), (-0.2, "0:00"), (247.9, "4:07"), (3729, "1:02:09")])
def test_a_place_in_a_recording_has_hours_from_one_hour(seconds: float, shown: str) -> None:
    """Minutes alone before that, and seconds are cut, not rounded."""
    assert clock(seconds) == shown
