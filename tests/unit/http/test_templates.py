"""Every template can be compiled; what pages offer beside their forms."""

from datetime import UTC, datetime

import pytest

from serve_app.accounts.actors import Actor
from serve_app.http.pages.templates import WEB, _templates, render
from serve_app.http.pages.visitors import Visitor
from serve_app.jobs.models import Job, JobState


@pytest.mark.parametrize("name", sorted(path.name for path in (WEB / "templates").glob("*.html")))
def test_a_template_compiles(name: str) -> None:
    """A page that no test opens has no mistake of syntax, such as a block that is defined twice."""
    _templates.get_template(name)


@pytest.mark.parametrize(
    ("blob", "source_url", "offered"),
    [("kept.wav", None, True), ("", None, True), (None, "https://example.com/a", True), (None, None, False)],
)
def test_a_failed_interview_offers_the_retry_that_is_possible(
    blob: str | None, source_url: str | None, *, offered: bool
) -> None:
    """With its upload, as a further assessment, and with an address to fetch; not once its input is deleted."""
    failed = Job(
        account_id="acc_1", vertical="recruitscreen", duration_s=2, credits=1, blob_sha256="", blob_bytes=0, blob=blob,
        source_url=source_url, state=JobState.FAILED, error_code="interrupted", error_message="It was interrupted.",
        expires_at=datetime(2026, 11, 1, tzinfo=UTC),
    )  # fmt: skip
    page = render("ended_interview.html", {"visitor": Visitor(Actor.operator("acc_1"), "", ""), "interview": failed})
    assert (b"/retry" in bytes(page.body)) is offered
