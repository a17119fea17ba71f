"""Cohen's kappa against values computed by hand."""

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.jobs.agreement import Agreement, squared, unequal

LEVELS = range(1, 6)
COUNTS = st.dictionaries(st.tuples(st.sampled_from(LEVELS), st.sampled_from(LEVELS)), st.integers(1, 50))


def test_kappa_of_the_textbook_table() -> None:
    """20 and 15 agreements, 5 and 10 disagreements of 50: kappa 0.4."""
    table = Agreement({("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15})
    assert table.kappa(unequal) == 0.4


def test_kappa_is_none_where_chance_explains_everything() -> None:
    """Without pairs, and where both always gave one and the same rating."""
    assert Agreement({}).kappa(squared) is None
    assert Agreement({(3, 3): 7}).kappa(unequal) is None


def test_a_larger_distance_weighs_more() -> None:
    """With quadratic weights, ratings one level apart agree better than ratings far apart."""
    near, far = Agreement({(1, 1): 5, (5, 5): 5, (4, 5): 2}), Agreement({(1, 1): 5, (5, 5): 5, (1, 5): 2})
    assert (near.kappa(squared) or 0) > (far.kappa(squared) or 0)


@given(COUNTS)
def test_kappa_lies_between_minus_one_and_one(counts: dict[tuple[int, int], int]) -> None:
    """It is 1 for full agreement over several levels, never more, and the same with the raters exchanged."""
    for weight in (unequal, squared):
        value = Agreement(counts).kappa(weight)
        exchanged = Agreement({(model, person): count for (person, model), count in counts.items()}).kappa(weight)
        assert value == exchanged
        assert value is None or -1.001 <= value <= 1
        if value is not None and all(person == model for person, model in counts):
            assert value == 1


def test_ratings_that_do_not_depend_on_each_other_have_kappa_0() -> None:
    """Every pair of levels equally often."""
    even = Agreement(dict.fromkeys(product(LEVELS, LEVELS), 3))
    assert even.kappa(unequal) == pytest.approx(0)
    assert math.isclose(even.kappa(squared) or 0, 0)
