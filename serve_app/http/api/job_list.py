"""The list of an account's jobs: search, filters and pages."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from serve_app.errors import InvalidField, RateLimited, Unauthorized
from serve_app.http.deps import CurrentCaller, Services
from serve_app.http.openapi import refusals
from serve_app.http.schemas import JobSummary, ListPage
from serve_app.jobs import queries as jobs
from serve_app.jobs.models import MAX_FILE_NAME, MAX_LABEL, JobState
from serve_app.jobs.queries import Filter
from serve_app.storage.pagination import Limit, Position
from serve_app.storage.text import Storable, storable

router = APIRouter(prefix="/v1", tags=["jobs"], responses=refusals(Unauthorized, RateLimited))

METADATA = re.compile(r"metadata\[(.*)\]", re.DOTALL)
MAX_METADATA_FILTERS = 20
METADATA_PARAMETER = {
    "name": "metadata",
    "in": "query",
    "style": "deepObject",
    "explode": True,
    "description": "Only jobs whose metadata has this member: `metadata[team]=x`. Numbers and booleans match as text.",
    "schema": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": MAX_METADATA_FILTERS},
    "example": {},
}


class JobsQuery(BaseModel):
    """Filter and page of a list of jobs. Unknown parameters are refused: a misspelt filter would list everything."""

    model_config = ConfigDict(extra="forbid")

    q: Annotated[
        Storable | None,
        Field(
            max_length=200,
            description="Search: each of these words must be a part of the job's id, role title, label or file name.",
        ),
    ] = None
    status: JobState | None = None
    vertical: Annotated[Storable, Field(max_length=64)] | None = None
    role_title: Annotated[Storable, Field(max_length=200)] | None = None
    label: Annotated[Storable, Field(max_length=MAX_LABEL)] | None = None
    file_name: Annotated[Storable, Field(max_length=MAX_FILE_NAME)] | None = None
    language: Annotated[Storable, Field(max_length=16)] | None = None
    stage: Annotated[Storable, Field(max_length=32)] | None = None
    further: bool = Field(default=True, description="Whether further assessments of a transcript are listed, too.")
    limit: Limit = 20
    cursor: Annotated[str, Field(max_length=500)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_metadata(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        """Without `metadata[…]`, which no model can name: `metadata_filter` reads them."""
        return {name: value for name, value in parameters.items() if not METADATA.fullmatch(name)}


def metadata_filter(request: Request) -> tuple[tuple[str, str], ...]:
    """Names and values of the parameters `metadata[name]=value`. Raises `InvalidField`."""
    members = []
    for parameter, value in request.query_params.multi_items():
        if name := METADATA.fullmatch(parameter):
            if not storable(parameter + value):
                raise InvalidField("'metadata[…]' must not contain NUL or unpaired surrogate characters.", "metadata")
            members.append((name[1], value))
    if len(members) > MAX_METADATA_FILTERS:
        raise InvalidField(
            f"The list takes at most {MAX_METADATA_FILTERS} filters 'metadata[…]'; {len(members)} were sent.",
            "metadata",
        )
    return tuple(members)


@router.get("/jobs", responses=refusals(InvalidField), openapi_extra={"parameters": [METADATA_PARAMETER]})
async def list_jobs(
    caller: CurrentCaller,
    services: Services,
    query: Annotated[JobsQuery, Query()],
    metadata: Annotated[tuple[tuple[str, str], ...], Depends(metadata_filter)],
) -> ListPage[JobSummary]:
    """List the account's jobs, newest first. Filters match exactly; `q` searches."""
    equal = query.model_dump(include={"role_title", "label", "file_name", "language", "stage"})
    vertical = query.vertical if caller.key.opens_all else caller.key.scope
    filter_ = Filter(query.status, vertical, query.q or "", **equal, further=query.further, metadata=metadata)
    async with services.database.transaction() as session:
        page = await jobs.list_jobs(session, caller.account_id, filter_, Position.read(query.cursor), query.limit)
    return ListPage(
        data=[JobSummary.of(job) for job in page.rows],
        has_more=page.next_cursor is not None,
        next_cursor=page.next_cursor,
    )
