"""The catalog of products."""

import pytest

from serve_app.errors import InvalidField, VerticalNotFound
from serve_app.verticals.catalog import Catalog
from tests.support.world import ROOT

CATALOG = Catalog.read(ROOT / "config" / "verticals")


def test_an_unknown_product_is_refused_with_the_known_ones() -> None:
    """The message lists the slugs."""
    with pytest.raises(VerticalNotFound, match="recruitscreen"):
        CATALOG.get("nothing")


def test_a_scope_is_a_product_or_all() -> None:
    """Any other scope is refused with the known ones."""
    assert CATALOG.scopes() == ["all", "recruitscreen"]
    for scope in CATALOG.scopes():
        CATALOG.check_scope(scope)
    with pytest.raises(InvalidField, match="all, recruitscreen") as refused:
        CATALOG.check_scope("nothing")
    assert refused.value.field == "scope"
