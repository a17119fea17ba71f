"""The playground: fills in a request, runs it, and shows it as curl, Python and JavaScript.

Method, path and sentence of an operation come from the OpenAPI document; here stand only the fields worth a first try.
The key that a reader pastes stays in their browser: the script sends it to the API as any program would.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from serve_app.http.deps import Services
from serve_app.http.pages.templates import PRIVATE, SCRIPT_POLICY, render
from serve_app.http.pages.visitors import CurrentOwner
from serve_app.jobs import queries as jobs
from serve_app.jobs.models import Job, JobState
from serve_app.jobs.queries import Filter

router = APIRouter(prefix="/dashboard/playground", include_in_schema=False)


class Place(StrEnum):
    """Where a field stands in the request."""

    PATH = "path"
    QUERY = "query"
    FORM = "form"
    FILE = "file"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a request. Empty ones are not sent."""

    name: str
    place: Place
    value: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()


JOB = Field("job_id", Place.PATH, required=True)
PRODUCT = Field("vertical", Place.PATH, required=True)
OPERATIONS: dict[str, tuple[Field, ...]] = {
    "submit_job": (
        PRODUCT,
        Field("file", Place.FILE, required=True),
        Field("role_title", Place.FORM, "Backend Engineer", required=True),
        Field("label", Place.FORM),
        Field("candidate", Place.FORM, choices=("", "first", "second", "channel_1", "channel_2")),
    ),
    "quote_job": (PRODUCT, Field("duration_s", Place.FORM, "412", required=True)),
    "get_job": (JOB, Field("wait", Place.QUERY, "0")),
    "list_jobs": (
        Field("q", Place.QUERY),
        Field("status", Place.QUERY, choices=("", *JobState)),
        Field("limit", Place.QUERY, "5"),
    ),
    "get_transcript": (JOB, Field("format", Place.QUERY, "srt", choices=("json", "txt", "srt", "vtt"))),
    "get_scorecard": (JOB, Field("format", Place.QUERY, "md", choices=("json", "md", "csv", "ashby", "greenhouse"))),
    "reassess_job": (JOB, Field("role_title", Place.JSON, "Data Engineer", required=True)),
    "get_credits": (),
    "get_usage": (Field("by", Place.QUERY, "day", choices=("day", "key_id", "vertical", "status")),),
    "get_models_status": (),
}
"""Operations of the playground by id, with their fields."""
PUBLIC = {"get_models_status"}


@router.get("")
async def show_playground(
    request: Request,
    visitor: CurrentOwner,
    services: Services,
    operation: Annotated[str, Query(max_length=64)] = "submit_job",
    job_id: Annotated[str, Query(max_length=32)] = "",
) -> HTMLResponse:
    """One operation to try. The first product and the account's newest finished job fill the path."""
    chosen = operation if operation in OPERATIONS else "submit_job"
    async with services.database.transaction() as session:
        finished = Filter(JobState.COMPLETED)
        newest = (await jobs.list_jobs(session, visitor.account_id, finished, None, 1)).rows
    context = {
        "visitor": visitor, "operations": _described(request.app.openapi()), "chosen": chosen,
        "fields": OPERATIONS[chosen], "public": chosen in PUBLIC,
        "filled": {"job_id": job_id or _id(newest), "vertical": next(iter(services.catalog)).slug},
    }  # fmt: skip
    return render("playground.html", context, policy=SCRIPT_POLICY, headers=PRIVATE)


def _id(rows: Sequence[Job]) -> str:
    return rows[0].id if rows else ""


def _described(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Method, path and sentence of each operation of the playground, in its order."""
    found = {
        operation["operationId"]: {"method": method.upper(), "path": path, "summary": operation["summary"]}
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    return {name: found[name] for name in OPERATIONS}
