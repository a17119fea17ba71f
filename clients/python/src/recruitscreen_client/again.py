"""Commands about a finished job's result: assess it again, compare assessments, review it, see the agreement."""

from pathlib import Path
from typing import Annotated, cast

import typer

from recruitscreen_client import tables
from recruitscreen_client.arguments import pairs, read_lines, read_rubric, text_of
from recruitscreen_client.options import Rating, ReassessOptions, Recommendation
from recruitscreen_client.plain import plain
from recruitscreen_client.session import AsJson, JobId, Session


def reassess(  # noqa: PLR0913 - a command's options are its parameters
    ctx: typer.Context,
    job_id: JobId,
    *,
    role: Annotated[str | None, typer.Option(help="Another role.")] = None,
    rubric: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="File with another rubric, YAML or JSON.")
    ] = None,
    job_description: Annotated[str | None, typer.Option(help="Requirements of the role. @PATH reads a file.")] = None,
    candidate: Annotated[str | None, typer.Option(help="Who the candidate is, e.g. SPEAKER_01 or first.")] = None,
    name: Annotated[
        list[str] | None, typer.Option(metavar="SPEAKER=NAME", help="Name of a speaker. Can be repeated.")
    ] = None,
    corrections: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="File with corrected lines: a list of line, text, speaker."),
    ] = None,
    label: Annotated[str | None, typer.Option(help="Your own name for the new job.")] = None,
    as_json: AsJson = False,
) -> None:
    """Assess a finished job's transcript again, without the recording. What is left out stays as it is."""
    session: Session = ctx.obj
    given = {
        "role_title": role,
        "rubric": read_rubric(rubric),
        "job_description": text_of(job_description),
        "candidate": candidate,
        "speakers": pairs(name, "--name") or None,
        "lines": read_lines(corrections) if corrections else None,
        "label": label,
    }
    changes = cast("ReassessOptions", {option: value for option, value in given.items() if value is not None})
    submitted = session.client.reassess(job_id, **changes)
    session.print(submitted, lambda job: plain(job["job_id"]), as_json=as_json)
    session.err.print(plain(f"Follow the job: recruitscreen follow {submitted['job_id']}"))


def assessments(ctx: typer.Context, job_id: JobId, *, as_json: AsJson = False) -> None:
    """Compare all assessments of a recording."""
    session: Session = ctx.obj
    session.print(session.client.assessments(job_id), tables.assessments, as_json=as_json)


def review(  # noqa: PLR0913 - a command's options are its parameters
    ctx: typer.Context,
    job_id: JobId,
    *,
    score: Annotated[
        list[str] | None, typer.Option(metavar="COMPETENCY=1…5", help="Your score; 0 for none. Can be repeated.")
    ] = None,
    reason: Annotated[
        list[str] | None, typer.Option(metavar="COMPETENCY=TEXT", help="Reason of a score. Can be repeated.")
    ] = None,
    recommendation: Annotated[str | None, typer.Option(help="advance, hold, reject or insufficient_evidence.")] = None,
    note: Annotated[str | None, typer.Option(help="Anything else.")] = None,
    reviewer: Annotated[str | None, typer.Option(help="Who reviews. Default: the name of the key.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add your scores and reasons to a result. They stand beside the model's."""
    session: Session = ctx.obj
    reasons = pairs(reason, "--reason")
    scores = {slug: _rating(slug, text, reasons.pop(slug, None)) for slug, text in pairs(score, "--score").items()}
    if reasons:
        raise typer.BadParameter(f"--reason {min(reasons)}=…: give its --score, too.")
    recommended = cast("Recommendation | None", recommendation)  # the API checks it
    written = session.client.review(job_id, reviewer=reviewer, scores=scores, recommendation=recommended, note=note)
    session.print(written, lambda one: plain(f"{one['reviewer']} reviewed {job_id}."), as_json=as_json)


def agreement(  # noqa: PLR0913 - a command's options are its parameters
    ctx: typer.Context,
    *,
    product: Annotated[str | None, typer.Option(help="Only jobs of this product.")] = None,
    rubric_version: Annotated[str | None, typer.Option(help="Only reviews under this version of the rubric.")] = None,
    model: Annotated[str | None, typer.Option(help="Only reviews of this assessor's results.")] = None,
    reviewer: Annotated[str | None, typer.Option(help="Only reviews of this person.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show how far people and the model agree, by competency."""
    session: Session = ctx.obj
    found = session.client.agreement(vertical=product, rubric_version=rubric_version, model=model, reviewer=reviewer)
    session.print(found, tables.agreement, as_json=as_json)


def _rating(slug: str, score: str, reason: str | None) -> Rating:
    if not score.isdecimal():
        raise typer.BadParameter(f"--score takes COMPETENCY=NUMBER, not '{slug}={score}'.")
    rating: Rating = {"score": int(score) or None}
    return rating if reason is None else rating | {"reason": reason}
