"""Documentation agrees with the code that it describes."""

import ast
import re
from pathlib import Path

import pytest

from serve_app.cli import ERROR_DOCS
from serve_app.http.pages.error_codes import as_markdown
from serve_app.jobs.lifecycle import MOVES
from tests.support.world import ROOT


def test_the_error_page_in_docs_is_current() -> None:
    """docs/errors.md is current: run `recruitscreen-admin write-error-docs` when this fails."""
    assert ERROR_DOCS.read_text("utf-8") == as_markdown()


def test_the_state_diagram_in_the_architecture_page_is_current() -> None:
    """The diagram shows every transition in `MOVES` and no other."""
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    diagram = page.split("stateDiagram-v2", 1)[1].split("```", 1)[0]
    drawn = {line.strip() for line in diagram.splitlines() if " --> " in line and "[*]" not in line}
    expected = {f"{source} --> {to}" for source, nexts in MOVES.items() for to in nexts}
    assert drawn == expected


CONFORMANCE = (ROOT / "docs" / "api-conformance.md").read_text("utf-8")
ROWS = [
    line for line in CONFORMANCE.splitlines() if line.startswith("| ") and "---" not in line and "| promise" not in line
]


def test_every_test_named_in_the_conformance_table_exists() -> None:
    """Every row names an existing test or says "not held"."""
    assert len(ROWS) > 40
    for row in ROWS:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named or "not held" in row, row
        for path, test in named:
            assert test in functions_of(path), f"{path}::{test}"


def functions_of(path: str) -> set[str]:
    """Names of a file's top-level functions."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("clients/*/*.md")]
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    """A relative link names a file that exists, and an anchor names one of its headings."""
    for link in LINK.findall(page.read_text("utf-8")):
        if ":" in link:
            continue  # another site
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


def anchors_of(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_decision_is_in_the_index() -> None:
    """The index of decisions links every page of the folder."""
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text("utf-8")
    assert [page.name for page in folder.glob("[0-9]*.md") if f"({page.name})" not in index] == []
