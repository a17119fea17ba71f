"""The price of a recording."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.credits.ledger import credits_for


@pytest.mark.parametrize(("seconds", "price"), [(0.1, 1), (60, 1), (60.1, 2), (412, 7), (420, 7), (421, 8), (3600, 60)])
def test_every_started_minute_costs_one_credit(seconds: float, price: int) -> None:
    """Every started minute costs one credit."""
    assert credits_for(seconds) == price


@given(st.floats(0.01, 1e6), st.integers(1, 50))
def test_the_price_is_positive_and_scales_with_the_rate(seconds: float, rate: int) -> None:
    """Prices are positive and proportional to the credits per minute."""
    assert credits_for(seconds, rate) == rate * credits_for(seconds) > 0
