"""Commands that account for the service and write documents."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from recruitscreen_client import tables
from recruitscreen_client.client import ScorecardFormat, Section, UsageColumn
from recruitscreen_client.session import AsJson, JobId, Session

ENDINGS = {"ashby": ".ashby.json", "greenhouse": ".greenhouse.json"}
"""Endings of file names that are not the format's name."""


def export(  # noqa: PLR0913 - a command's options are its parameters
    ctx: typer.Context,
    job_id: JobId,
    *,
    format: Annotated[ScorecardFormat, typer.Option(help="Format of the document.")] = "pdf",  # noqa: A002 - the option's name
    out: Annotated[Path | None, typer.Option(help="File to write to; - for standard output.")] = None,
    section: Annotated[
        list[str] | None, typer.Option(metavar="SECTION", help="Only this section, e.g. scores. Can be repeated.")
    ] = None,
    hide_name: Annotated[bool, typer.Option("--hide-name", help="Leave out the label and its words.")] = False,
) -> None:
    """Save a finished job's scorecard as a document, or as the values that Ashby or Greenhouse takes."""
    session: Session = ctx.obj
    sections = cast("list[Section] | None", section)  # the API checks them
    content = session.client.export(job_id, format, sections=sections, hide_name=hide_name)
    if str(out) == "-":
        typer.echo(content, nl=False)
    else:
        session.save(out or Path(f"scorecard-{job_id}{ENDINGS.get(format, f'.{format}')}"), content)


def usage(  # noqa: PLR0913 - a command's options are its parameters
    ctx: typer.Context,
    *,
    since: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day (UTC). Default: 30 days in all.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day (UTC). Default: today.")
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option(metavar="|".join(get_args(UsageColumn)), help="Group by this. Can be repeated.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(metavar="PATH", help="Save the table as CSV instead.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show jobs, audio and credits by day, key, product and state."""
    session: Session = ctx.obj
    columns = cast("list[UsageColumn] | None", by)  # the API checks them
    if csv:
        session.save(csv, session.client.usage_csv(_day(since), _day(until), columns))
        return
    session.print(session.client.usage(_day(since), _day(until), columns), tables.usage, as_json=as_json)


def prices(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Show the products with their prices and limits. Needs no key."""
    session: Session = ctx.obj
    session.print(session.client.prices(), tables.prices, as_json=as_json)


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None
