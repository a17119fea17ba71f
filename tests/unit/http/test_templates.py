"""Every template can be compiled."""

import pytest

from serve_app.http.pages.templates import WEB, _templates


@pytest.mark.parametrize("name", sorted(path.name for path in (WEB / "templates").glob("*.html")))
def test_a_template_compiles(name: str) -> None:
    """A page that no test opens has no mistake of syntax, such as a block that is defined twice."""
    _templates.get_template(name)
