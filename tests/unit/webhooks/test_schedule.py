"""When a failed delivery is tried again."""

from datetime import UTC, datetime, timedelta

import pytest

from serve_app.webhooks.schedule import DELAYS_S, delay_s, retry_after_s


def test_delays_follow_the_specification_with_jitter() -> None:
    """Nine delays grow from 5 s to 24 h, each by up to a tenth at random; after the tenth attempt there is none."""
    for failures, scheduled in enumerate(DELAYS_S, start=1):
        drawn = {delay_s(failures) for _ in range(50)}
        assert all(scheduled <= delay <= 1.1 * scheduled for delay in drawn if delay)
        assert len(drawn) > 1
    assert delay_s(len(DELAYS_S) + 1) is None


def test_retry_after_lengthens_a_delay_and_never_shortens_it() -> None:
    """A receiver's wish counts up to a day."""
    assert delay_s(1, 600) == 600
    assert (delay_s(3, 1) or 0) >= DELAYS_S[2]
    assert delay_s(1, 1e9) == 24 * 3600


@pytest.mark.parametrize("header", [None, "", "soon", "-5", "1.5", "٣", "Tue, 99 Foo 2026"])
def test_an_unreadable_retry_after_counts_as_none(header: str | None) -> None:
    """Anything but whole seconds or a date is ignored."""
    assert retry_after_s(header) == 0


def test_retry_after_is_read_as_seconds_or_date() -> None:
    """Both forms of the header are read; a date in the past is no pause."""
    assert retry_after_s(" 120 ") == 120
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    assert 3500 < retry_after_s(f"{in_an_hour:%a, %d %b %Y %H:%M:%S} GMT") <= 3600
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0
