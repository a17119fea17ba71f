"""An account's credits: its balance and its ledger."""

from typing import Annotated

from fastapi import APIRouter, Query

from serve_app.credits import ledger
from serve_app.errors import InvalidField, RateLimited, Unauthorized
from serve_app.http.deps import CurrentCaller, Services
from serve_app.http.openapi import refusals
from serve_app.http.schemas import Credits, LedgerRow, ListPage
from serve_app.jobs import queries as jobs
from serve_app.storage.pagination import Limit, Position

router = APIRouter(prefix="/v1/credits", tags=["credits"], responses=refusals(Unauthorized, RateLimited))


@router.get("")
async def get_credits(caller: CurrentCaller, services: Services) -> Credits:
    """Get the balance, the credits held by jobs that are not over, and those of failed jobs that may come back."""
    async with services.database.transaction() as session:
        balance = await ledger.balance(session, caller.account_id)
        held = await jobs.held_credits(session, caller.account_id)
        refundable = await jobs.refundable_credits(session, caller.account_id)
    return Credits(balance=balance, held=held, refundable=refundable)


@router.get("/ledger", responses=refusals(InvalidField))
async def list_ledger(
    caller: CurrentCaller, services: Services, limit: Annotated[Limit, Query()] = 20, cursor: str | None = None
) -> ListPage[LedgerRow]:
    """List every change of the balance, newest first. The balance is their sum."""
    async with services.database.transaction() as session:
        page = await ledger.list_entries(session, caller.account_id, Position.read(cursor), limit)
    return ListPage(
        data=[LedgerRow.of(entry) for entry in page.rows],
        has_more=page.next_cursor is not None,
        next_cursor=page.next_cursor,
    )
