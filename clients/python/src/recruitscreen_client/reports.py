"""Commands that account for the service and write documents."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from recruitscreen_client import tables
from recruitscreen_client.arguments import pairs
from recruitscreen_client.impact import UnusableTable, impact
from recruitscreen_client.options import ScorecardFormat, Section, UsageColumn
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


def results(
    ctx: typer.Context,
    *,
    csv: Annotated[Path, typer.Option(metavar="PATH", help="File to write.")],
    product: Annotated[str | None, typer.Option(help="Only jobs of this product.")] = None,
    search: Annotated[
        str | None, typer.Option(help="Only jobs with these words in role, label, file name or id.")
    ] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Only jobs with this metadata. Can be repeated.")
    ] = None,
) -> None:
    """Save recommendation and scores of completed jobs as CSV, a row for each job, e.g. for `impact-ratio`."""
    session: Session = ctx.obj
    found = session.client.list("completed", product, q=search, metadata=pairs(metadata))
    jobs = [session.client.job(row["job_id"]) for row in found if not row.get("deleted_at")]
    session.save(csv, tables.results_csv(jobs))


def impact_ratio(  # noqa: PLR0913 - a command's options are its parameters
    ctx: typer.Context,
    results: Annotated[Path, typer.Argument(metavar="RESULTS.csv", exists=True, dir_okay=False)],
    groups: Annotated[Path, typer.Argument(metavar="GROUPS.csv", exists=True, dir_okay=False)],
    *,
    id_column: Annotated[str, typer.Option("--id", help="Column that both files have.")] = "job_id",
    outcome: Annotated[
        str | None, typer.Option(help="Column of RESULTS. Default: selected, recommendation or score.")
    ] = None,
    selected: Annotated[
        list[str] | None, typer.Option(help="Value that counts as selected. Can be repeated. Default: advance.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compute selection rates and impact ratios by group (NYC Local Law 144). Reads two files and sends nothing.

    GROUPS has the id and a column for each group, e.g. sex and race_ethnicity. This is arithmetic, not the bias audit
    that the law asks an independent auditor for.
    """
    session: Session = ctx.obj
    try:
        found = impact(results, groups, id_column=id_column, outcome=outcome, selected=selected or ())
    except UnusableTable as error:
        raise typer.BadParameter(str(error)) from None
    session.print(found.as_dict() if as_json else found, tables.impact, as_json=as_json)


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None
