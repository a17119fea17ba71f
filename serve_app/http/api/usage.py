"""Usage of an account, as JSON and CSV."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from serve_app.errors import InvalidField, RateLimited, Unauthorized
from serve_app.http.deps import CurrentCaller, Services
from serve_app.http.openapi import refusals
from serve_app.jobs import usage
from serve_app.jobs.models import JobState
from serve_app.jobs.usage import MAX_DAYS, Grouping, Period
from serve_app.pipeline.csv_table import to_csv

router = APIRouter(prefix="/v1/usage", tags=["credits"], responses=refusals(Unauthorized, RateLimited))

Day = Annotated[date, Field(ge=date(2000, 1, 1), lt=date(9000, 1, 1))]


class UsageFormat(StrEnum):
    """Formats of a usage report."""

    JSON = "json"
    CSV = "csv"


class UsageQuery(BaseModel):
    """Period, grouping and format of a usage report. Unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid")

    from_: Day | None = Field(
        default=None, alias="from", description="First day (UTC), e.g. 2026-11-01. Default: 29 days before `to`."
    )
    to: Day | None = Field(default=None, description=f"Last day (UTC). Default: today. At most {MAX_DAYS} days in all.")
    by: Annotated[list[Grouping], Field(max_length=len(Grouping))] = Field(
        default=list(Grouping), description="What to group by. Repeat the parameter for several. Default: all four."
    )
    format: UsageFormat = UsageFormat.JSON


class UsageSums(BaseModel):
    """Sums over jobs."""

    jobs: int
    audio_s: float = Field(description="Length of the recordings in seconds.")
    credits_charged: int
    credits_returned: int = Field(description="What came back of `credits_charged`, also on a later day.")


class UsageRow(UsageSums):
    """Sums over the jobs of one combination. Has the columns that are grouped by, and no others of the first five."""

    day: date | None = Field(default=None, description="UTC day on which the jobs were accepted.")
    key_id: str | None = Field(default=None, description="The key that submitted the jobs. Null for the web app.")
    key_name: str | None = Field(default=None, description="The key's name, when grouped by `key_id`.")
    vertical: str | None = None
    status: JobState | None = None


class Usage(BaseModel):
    """Usage of an account in a period."""

    from_: date = Field(alias="from")
    to: date
    total: UsageSums
    data: list[UsageRow] = Field(description="Oldest day first. Combinations without jobs have no row.")

    @classmethod
    def of(cls, period: Period, rows: list[dict[str, Any]]) -> "Usage":
        """The report with its total."""
        total = {name: sum(row[name] for row in rows) for name in UsageSums.model_fields}
        total["audio_s"] = round(total["audio_s"], 1)
        data = [UsageRow(**row) for row in rows]
        return cls(**{"from": period.first}, to=period.last, total=UsageSums(**total), data=data)


@router.get("", response_model=Usage, responses=refusals(InvalidField) | {200: {"content": {"text/csv": {}}}})
async def get_usage(caller: CurrentCaller, services: Services, query: Annotated[UsageQuery, Query()]) -> Response:
    """Get jobs, audio and credits by day, key, product and state, as JSON or CSV.

    Every job counts on the UTC day on which it was accepted, also for credits that came back later. A key of one
    product sees the usage of that product only.
    """
    period = Period.read(query.from_, query.to)
    scope = None if caller.key.opens_all else caller.key.scope
    async with services.database.transaction() as session:
        table = await usage.get_usage(session, caller.account_id, period, query.by, scope)
    if query.format is UsageFormat.CSV:
        return as_csv(period, table)
    return JSONResponse(Usage.of(period, table.rows).model_dump(mode="json", by_alias=True, exclude_unset=True))


def as_csv(period: Period, table: usage.Usage) -> PlainTextResponse:
    """The table as a file to save."""
    headers = {"Content-Disposition": f'attachment; filename="usage-{period.first}-{period.last}.csv"'}
    return PlainTextResponse(to_csv(table.columns, table.rows), media_type="text/csv; charset=utf-8", headers=headers)
