"""Keys: create, list, rotate, revoke. Needs a key of scope 'all'."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from serve_app.errors import FileTooLarge, InvalidField, NotFound, RateLimited, Unauthorized, WrongScope
from serve_app.http.deps import AccountCaller, Services
from serve_app.http.openapi import refusals
from serve_app.http.schemas import KeyView, NewKey
from serve_app.keys import service as keys
from serve_app.keys.models import ALL_SCOPES
from serve_app.keys.service import IssuedKey, KeyTerms
from serve_app.storage.moments import StorableTime
from serve_app.storage.text import Storable

router = APIRouter(prefix="/v1/keys", tags=["keys"], responses=refusals(Unauthorized, WrongScope, RateLimited))


class KeyRequest(BaseModel):
    """Terms of a new key."""

    model_config = ConfigDict(extra="forbid")

    scope: str = Field(default=ALL_SCOPES, description="A product's slug, or 'all'.", examples=["recruitscreen"])
    name: Annotated[Storable, Field(max_length=200, description="A note for people, e.g. where the key is used.")] = ""
    expires_at: StorableTime | None = Field(default=None, description="When the key ends. Never if not sent.")
    monthly_cap: Annotated[int, Field(gt=0, le=1_000_000_000)] | None = Field(
        default=None, description="Credits that the key can spend per calendar month (UTC). No limit if not sent."
    )


class RotationRequest(BaseModel):
    """Terms of a rotation."""

    model_config = ConfigDict(extra="forbid")

    overlap_s: Annotated[int, Field(ge=0, le=30 * 24 * 3600, description="Seconds that the old key keeps working.")] = (
        24 * 3600
    )
    expires_at: StorableTime | None = Field(
        default=None,
        description="When the new key ends; null for never. If not sent, when the old key would have ended.",
    )


@router.get("")
async def list_keys(caller: AccountCaller, services: Services) -> list[KeyView]:
    """List the account's keys, newest first, with revoked and expired ones."""
    async with services.database.transaction() as session:
        return [KeyView.of(key) for key in await keys.list_keys(session, caller.actor)]


@router.post("", status_code=201, responses=refusals(InvalidField, FileTooLarge))
async def create_key(caller: AccountCaller, services: Services, request: KeyRequest) -> NewKey:
    """Create a key. Only this response contains its secret."""
    services.catalog.check_scope(request.scope)
    _check_expiry(request.expires_at)
    terms = KeyTerms(request.scope, request.name, request.expires_at, request.monthly_cap)
    async with services.database.transaction() as session:
        return _with_secret(await keys.issue(session, caller.actor, terms))


@router.post("/{key_id}/rotate", status_code=201, responses=refusals(NotFound, InvalidField, FileTooLarge))
async def rotate_key(caller: AccountCaller, services: Services, key_id: str, request: RotationRequest) -> NewKey:
    """Replace a key by a new one with the same terms, its end included. The old key works until the overlap ends.

    `expires_at` of the answer says when the new key ends. Send your own `expires_at` to change it.
    """
    changes = request.model_dump(include={"expires_at"}, exclude_unset=True)
    _check_expiry(request.expires_at)
    async with services.database.transaction() as session:
        return _with_secret(await keys.rotate(session, caller.actor, key_id, request.overlap_s, **changes))


@router.delete("/{key_id}", status_code=204, responses=refusals(NotFound, InvalidField))
async def revoke_key(caller: AccountCaller, services: Services, key_id: str) -> None:
    """Revoke a key at once."""
    async with services.database.transaction() as session:
        await keys.revoke(session, caller.actor, key_id)


def _check_expiry(expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= datetime.now(expires_at.tzinfo):
        raise InvalidField("'expires_at' is in the past. Send a future time.", "expires_at")


def _with_secret(issued: IssuedKey) -> NewKey:
    return NewKey(api_key=issued.secret, **KeyView.of(issued.key).model_dump())
