"""The usage page: credits by day, key and product as a picture and as CSV, and the ledger in words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.credits import ledger
from serve_app.errors import InvalidField
from serve_app.http.api.usage import Day, as_csv
from serve_app.http.deps import Services
from serve_app.http.pages.templates import PRIVATE, SCRIPT_POLICY, render
from serve_app.http.pages.visitors import CurrentOwner
from serve_app.jobs import queries as jobs
from serve_app.jobs import usage
from serve_app.jobs.usage import Grouping, Period
from serve_app.storage.pagination import Position
from serve_app.verticals.catalog import Catalog

router = APIRouter(prefix="/dashboard", include_in_schema=False)

LEDGER_PAGE = 25
MAX_LANES = 6
"""Colours of the picture. The last one is for all further groups together."""
OTHERS = "All others"
WEB_APP = "Web app"


class Split(StrEnum):
    """What the bars are split by."""

    KEY = "key"
    PRODUCT = "product"


class UsageView(BaseModel):
    """What the page shows."""

    from_: Day | None = Field(default=None, alias="from")
    to: Day | None = None
    by: Split = Split.KEY
    cursor: Annotated[str, Field(max_length=500)] | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a day's bar, in the units of the picture: a day is 10 wide, the highest bar is 100 high."""

    x: int
    y: float
    height: float
    lane: int
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Credits by day as bars. `names` are the groups by lane."""

    parts: tuple[Part, ...]
    names: tuple[str, ...]
    days: int
    most: int


@router.get("/usage")
async def show_usage(visitor: CurrentOwner, services: Services, view: Annotated[UsageView, Query()]) -> HTMLResponse:
    """Credits of a period by day, and the ledger."""
    period, message = _period(view)
    async with services.database.transaction() as session:
        days = await _spent(session, services.catalog, visitor.account_id, period, view.by)
        by_key = [Grouping.KEY_ID, Grouping.VERTICAL]
        context = {
            "visitor": visitor, "period": period, "by": view.by, "message": message, "chart": _chart(period, days),
            "totals": await usage.get_usage(session, visitor.account_id, period, by_key),
            "balance": await ledger.balance(session, visitor.account_id),
            "held": await jobs.held_credits(session, visitor.account_id),
            "refundable": await jobs.refundable_credits(session, visitor.account_id),
            "ledger": await ledger.list_entries(session, visitor.account_id, Position.read(view.cursor), LEDGER_PAGE),
            "products": {spec.slug: spec.title for spec in services.catalog}, "first_page": view.cursor is None,
        }  # fmt: skip
    return render("usage.html", context, policy=SCRIPT_POLICY, headers=PRIVATE)


@router.get("/usage.csv")
async def download_usage(visitor: CurrentOwner, services: Services, view: Annotated[UsageView, Query()]) -> Response:
    """The period by day, key, product and state, as the API gives it."""
    period = Period.read(view.from_, view.to)
    async with services.database.transaction() as session:
        answer = as_csv(period, await usage.get_usage(session, visitor.account_id, period, list(Grouping)))
    answer.headers.update(PRIVATE)
    return answer


def _period(view: UsageView) -> tuple[Period, str]:
    """The period that is asked for, or the last 30 days and what is wrong with it."""
    try:
        return Period.read(view.from_, view.to), ""
    except InvalidField as error:
        return Period.read(None, None), error.message


async def _spent(
    session: AsyncSession, catalog: Catalog, account_id: str, period: Period, split: Split
) -> Mapping[tuple[date, str], int]:
    """Credits that were charged and not returned, by day and name of the group."""
    group = Grouping.KEY_ID if split is Split.KEY else Grouping.VERTICAL
    titles = {spec.slug: spec.title for spec in catalog}
    spent: Counter[tuple[date, str]] = Counter()
    for row in (await usage.get_usage(session, account_id, period, [Grouping.DAY, group])).rows:
        name = _name_of_key(row) if split is Split.KEY else titles.get(row["vertical"], row["vertical"])
        spent[row["day"], name] += row["credits_charged"] - row["credits_returned"]
    return spent


def _name_of_key(row: Mapping[str, Any]) -> str:
    return WEB_APP if row["key_id"] is None else row["key_name"] or row["key_id"]


def _chart(period: Period, spent: Mapping[tuple[date, str], int]) -> Chart:
    """A bar a day, split by group; the groups that spent most come first."""
    totals: Counter[str] = Counter()
    by_day: Counter[date] = Counter()
    for (day, name), credits_ in spent.items():
        totals[name] += credits_
        by_day[day] += credits_
    names = [name for name, _ in totals.most_common()]
    shown = names if len(names) <= MAX_LANES else [*names[: MAX_LANES - 1], OTHERS]
    most = max(by_day.values(), default=0)
    days = (period.last - period.first).days + 1
    parts: list[Part] = []
    for number in range(days):
        day = period.first + timedelta(days=number)
        parts += _bar(number, day, _lanes(day, names, shown, spent), shown, most)
    return Chart(tuple(parts), tuple(shown), days, most)


def _lanes(day: date, names: Sequence[str], shown: Sequence[str], spent: Mapping[tuple[date, str], int]) -> list[int]:
    lanes = [0] * len(shown)
    for number, name in enumerate(names):
        lanes[min(number, len(shown) - 1)] += spent.get((day, name), 0)
    return lanes


def _bar(number: int, day: date, lanes: Sequence[int], names: Sequence[str], most: int) -> list[Part]:
    parts, top = [], 100.0
    for lane, credits_ in enumerate(lanes):
        if credits_ > 0:
            height = round(100 * credits_ / most, 2)
            top = round(top - height, 2)
            parts.append(Part(10 * number + 1, top, height, lane, f"{day}, {names[lane]}: {credits_} credits"))
    return parts
