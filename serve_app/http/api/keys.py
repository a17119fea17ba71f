"""Make, list, rotate and revoke keys. A key for all products may; a product's key may not."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from serve_app.errors import FileTooLarge, InvalidField, NotFound, RateLimited, Unauthorized, WrongScope
from serve_app.http.deps import AccountCaller, Services
from serve_app.http.openapi import refusals
from serve_app.http.schemas import KeyView, NewKey
from serve_app.keys import service as keys
from serve_app.keys.models import ALL_SCOPES
from serve_app.keys.service import IssuedKey, KeyTerms
from serve_app.storage.text import Storable

router = APIRouter(prefix="/v1/keys", tags=["keys"], responses=refusals(Unauthorized, WrongScope, RateLimited))


class KeyRequest(BaseModel):
    """What a new key may do."""

    model_config = ConfigDict(extra="forbid")

    scope: str = Field(default=ALL_SCOPES, description="A product's slug, or 'all'.", examples=["recruitscreen"])
    name: Annotated[Storable, Field(max_length=200, description="For people, e.g. where the key is used.")] = ""
    expires_at: AwareDatetime | None = None
    monthly_cap: Annotated[int, Field(gt=0, le=1_000_000_000)] | None = Field(
        default=None, description="Most credits the key may spend in a calendar month (UTC)."
    )


class Rotation(BaseModel):
    """How long the old key goes on working."""

    model_config = ConfigDict(extra="forbid")

    overlap_s: Annotated[int, Field(ge=0, le=30 * 24 * 3600)] = 24 * 3600


@router.get("")
async def listed(caller: AccountCaller, services: Services) -> list[KeyView]:
    """All keys of the account, newest first, ended ones included."""
    async with services.database.transaction() as session:
        return [KeyView.of(key) for key in await keys.listed(session, caller.account_id)]


@router.post("", status_code=201, responses=refusals(InvalidField, FileTooLarge))
async def create(caller: AccountCaller, services: Services, wanted: KeyRequest) -> NewKey:
    """Make a key. Its secret is in this answer and nowhere else."""
    services.catalog.check_scope(wanted.scope)
    terms = KeyTerms(wanted.scope, wanted.name, _in_future(wanted.expires_at), wanted.monthly_cap)
    async with services.database.transaction() as session:
        return _shown_once(await keys.issue(session, caller.account_id, terms))


@router.post("/{key_id}/rotate", status_code=201, responses=refusals(NotFound, InvalidField, FileTooLarge))
async def rotate(caller: AccountCaller, services: Services, key_id: str, wanted: Rotation) -> NewKey:
    """Replace a key by a new one of the same terms; the old one works on for the overlap."""
    async with services.database.transaction() as session:
        return _shown_once(await keys.rotate(session, caller.account_id, key_id, wanted.overlap_s))


@router.delete("/{key_id}", status_code=204, responses=refusals(NotFound, InvalidField))
async def revoke(caller: AccountCaller, services: Services, key_id: str) -> None:
    """End a key now."""
    async with services.database.transaction() as session:
        await keys.revoke(session, caller.account_id, key_id)


def _in_future(expires_at: datetime | None) -> datetime | None:
    if expires_at is not None and expires_at <= datetime.now(expires_at.tzinfo):
        raise InvalidField("'expires_at' lies in the past.", "expires_at")
    return expires_at


def _shown_once(issued: IssuedKey) -> NewKey:
    return NewKey(api_key=issued.secret, **KeyView.of(issued.key).model_dump())
