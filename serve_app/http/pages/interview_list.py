"""The list of interviews: search and filters, the list as a file, and several interviews erased at once."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app import services as app_services
from serve_app.accounts.actors import Role
from serve_app.credits import ledger
from serve_app.errors import Conflict
from serve_app.http.api import jobs as jobs_api
from serve_app.http.deps import Services
from serve_app.http.pages.judgement import RECOMMENDATIONS, in_short
from serve_app.http.pages.templates import PRIVATE, SCRIPT_POLICY, render
from serve_app.http.pages.visitors import CurrentVisitor, FormFields, FormSender, Visitor
from serve_app.jobs import overview, reading
from serve_app.jobs import queries as jobs
from serve_app.jobs.lifecycle import TERMINAL
from serve_app.jobs.models import JobState
from serve_app.jobs.overview import Overview
from serve_app.jobs.queries import Filter
from serve_app.jobs.review import has_rated, rates_first
from serve_app.pipeline.csv_table import to_csv
from serve_app.storage.pagination import Position
from serve_app.storage.text import Storable

router = APIRouter(prefix="/interviews", include_in_schema=False)

PAGE = 25
COLUMNS = (
    "interview", "candidate", "role", "product", "state", "model_recommendation", "people", "file", "duration_s",
    "credits", "submitted", "finished",
)  # fmt: skip

Selected = Annotated[Sequence[Annotated[str, Query(max_length=64)]], Query(alias="job", max_length=PAGE)]
"""The interviews that were ticked on a page of the list."""


class Row:
    """A row of the list for one reader. What they must not see before they have rated is left out."""

    def __init__(self, job: Overview, reader: str, *, rate_first: bool) -> None:
        self.job = job
        self.hidden = rate_first and bool(job.competencies) and not has_rated(job.reviews, job.competencies, reader)
        self.model = RECOMMENDATIONS.get(job.recommendation or "", "") if not self.hidden else ""
        self.people = in_short(job.reviews) if not self.hidden else ""


async def read_filter(
    q: Annotated[Storable, Query(max_length=200)] = "",
    state: JobState | None = None,
    product: Annotated[Storable, Query(max_length=64)] = "",
) -> Filter:
    """Which interviews are listed."""
    return Filter(state, product or None, q.strip())


Searched = Annotated[Filter, Depends(read_filter)]


@router.get("")
async def list_interviews(
    visitor: CurrentVisitor,
    services: Services,
    filter_: Searched,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> HTMLResponse:
    """The account's interviews, newest first."""
    async with services.database.transaction() as session:
        page = await overview.list_overviews(session, visitor.account_id, filter_, Position.read(cursor), PAGE)
        balance = await ledger.balance(session, visitor.account_id)
        rows = await _rows(session, visitor, page.rows)
    context = {
        "visitor": visitor, "rows": rows, "next_cursor": page.next_cursor, "first_page": cursor is None,
        "filter": filter_, "parameters": _parameters(filter_), "states": list(JobState),
        "products": list(services.catalog), "balance": balance, "terminal": TERMINAL,
    }  # fmt: skip
    return render("interviews.html", context, policy=SCRIPT_POLICY, headers=PRIVATE)


@router.get("/list.csv")
async def download_list(visitor: CurrentVisitor, services: Services, filter_: Searched) -> Response:
    """The list that was searched for, as a file."""
    async with services.database.transaction() as session:
        await reading.note_list_export(session, visitor.actor)
        page = await overview.list_overviews(session, visitor.account_id, filter_, None, overview.MAX_ROWS)
        rows = await _rows(session, visitor, page.rows)
    headers = PRIVATE | {"Content-Disposition": 'attachment; filename="interviews.csv"'}
    return Response(to_csv(COLUMNS, map(_cells, rows)), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/delete")
async def ask_before_deleting(visitor: CurrentVisitor, services: Services, selected: Selected = ()) -> Response:
    """What would be erased, and the button that does it."""
    visitor.actor.must_be(Role.RECRUITER)
    async with services.database.transaction() as session:
        chosen = await overview.get_overviews(session, visitor.account_id, selected)
    return _deletion(visitor, chosen) if chosen else _to_list()


@router.post("/delete")
async def delete_interviews(visitor: FormSender, services: Services, fields: FormFields) -> Response:
    """Erase the chosen interviews that are over, and say which are not."""
    selected = fields.get("jobs", "").split(",")[:PAGE]
    async with services.database.transaction() as session:
        chosen = await overview.get_overviews(session, visitor.account_id, selected)
    kept = [job for job in chosen if not await _erase(services, visitor, job)]
    if kept:
        return _deletion(visitor, kept, "These are not over yet. Cancel them first, then erase them.", 409)
    return _to_list()


async def _erase(services: app_services.Services, visitor: Visitor, job: Overview) -> bool:
    """Erase an interview. False for one that is not over."""
    async with services.database.transaction() as session:
        row = await jobs.get_owned(session, visitor.account_id, job.id)
    try:
        await jobs_api.erase(row, visitor.actor, services)
    except Conflict:
        return False
    return True


async def _rows(session: AsyncSession, visitor: Visitor, listed: Sequence[Overview]) -> list[Row]:
    rate_first = await rates_first(session, visitor.actor)
    return [Row(job, visitor.actor.name, rate_first=rate_first) for job in listed]


def _deletion(visitor: Visitor, chosen: Sequence[Overview], message: str = "", status: int = 200) -> HTMLResponse:
    context = {"visitor": visitor, "chosen": chosen, "message": message}
    return render("delete_interviews.html", context, status=status, headers=PRIVATE)


def _to_list() -> RedirectResponse:
    return RedirectResponse("/interviews", 303, PRIVATE)


def _parameters(filter_: Filter) -> dict[str, str]:
    """The filter as an address has it."""
    named = {"q": filter_.q, "state": filter_.state, "product": filter_.vertical}
    return {name: str(value) for name, value in named.items() if value}


def _cells(row: Row) -> dict[str, Any]:
    job = row.job
    return {
        "interview": job.id,
        "candidate": job.label or job.labels.get("candidate"),
        "role": job.inputs.get("role_title"),
        "product": job.vertical,
        "state": "erased" if job.erased_at else job.state.value,
        "model_recommendation": row.model,
        "people": row.people,
        "file": job.file_name,
        "duration_s": round(job.duration_s, 1),
        "credits": job.credits,
        "submitted": job.created_at.isoformat(),
        "finished": job.finished_at.isoformat() if job.finished_at else None,
    }
