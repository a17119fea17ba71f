"""Issue, list, verify, rotate and revoke keys.

A key's last six characters are a CRC-32 of the rest, as in GitHub's tokens since 2021. A mistyped key is refused
without a lookup.
"""

import hashlib
import re
import secrets
import string
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, text, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts import audit, sessions
from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.audit import Action
from serve_app.errors import NotFound, Unauthorized
from serve_app.keys.models import ApiKey
from serve_app.storage.text import storable

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
SHAPE = re.compile(r"lv_sk_[a-z][a-z0-9-]{0,47}_[0-9A-Za-z]{32}")
RANDOM_LENGTH = 26  # 26 base62 characters carry 154 bits
CHECKSUM_LENGTH = 6
NO_SUCH_KEY = "No live key with this id exists in your account."
PREFIX_SHOWN = 4
"""Characters of the secret that lists show: 24 of its 154 bits, enough to tell keys apart."""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key with its secret, which is not stored."""

    key: ApiKey
    secret: str


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """A key's scope, name, end and monthly cap."""

    scope: str
    name: str = ""
    expires_at: datetime | None = None
    monthly_cap: int | None = None


async def issue(session: AsyncSession, actor: Actor, terms: KeyTerms) -> IssuedKey:
    """Create a key with scope `all` or one product's slug. Raises `NotPermitted` unless the actor is an owner."""
    actor.must_be(Role.OWNER)
    issued = await _store(session, actor.account_id, terms)
    await audit.record(session, actor, Action.KEY_CREATED, issued.key.id, f"scope {terms.scope}")
    return issued


async def list_keys(session: AsyncSession, actor: Actor) -> Sequence[ApiKey]:
    """All keys of an account, newest first, with expired and revoked ones. Raises `NotPermitted` as `issue` does."""
    actor.must_be(Role.OWNER)
    query = select(ApiKey).where(col(ApiKey.account_id) == actor.account_id).order_by(col(ApiKey.created_at).desc())
    return (await session.exec(query)).all()


async def rotate(session: AsyncSession, actor: Actor, key_id: str, overlap_s: float, **changes: Any) -> IssuedKey:
    """Replace a live key by one with the same terms, except for `changes` of `KeyTerms`.

    The old key works for another `overlap_s` seconds at most. Raises `NotFound`, and `NotPermitted` as `issue` does.
    """
    actor.must_be(Role.OWNER)
    if not storable(key_id):
        raise NotFound(NO_SUCH_KEY)
    mine = (col(ApiKey.id) == key_id, col(ApiKey.account_id) == actor.account_id)
    old = (await session.exec(select(ApiKey).where(*mine, *_live()).with_for_update())).first()
    if old is None:
        raise NotFound(NO_SUCH_KEY)
    terms = KeyTerms(old.scope, old.name, old.expires_at, old.monthly_cap)
    ends = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, overlap_s)
    shortened = func.least(func.coalesce(ApiKey.expires_at, ends), ends)
    await session.exec(update(ApiKey).where(*mine).values(expires_at=shortened))
    issued = await _store(session, actor.account_id, replace(terms, **changes))
    await audit.record(session, actor, Action.KEY_ROTATED, key_id, f"the new key is {issued.key.id}")
    return issued


async def verify(session: AsyncSession, secret: str) -> ApiKey:
    """The live key with this secret. Raises `Unauthorized` with the same message for every reason."""
    if not well_formed(secret):
        raise Unauthorized
    key = (await session.exec(select(ApiKey).where(col(ApiKey.sha256) == digest(secret), *_live()))).first()
    if key is None:
        raise Unauthorized
    await _touch(session, key)
    return key


async def get_live_key(session: AsyncSession, key_id: str) -> ApiKey | None:
    """The key with this id; None when it does not exist, is revoked or has expired."""
    return (await session.exec(select(ApiKey).where(col(ApiKey.id) == key_id, *_live()))).first()


async def revoke(session: AsyncSession, actor: Actor, key_id: str) -> None:
    """Revoke a key. Raises `NotFound` when the account has no such live key, and `NotPermitted` as `issue` does."""
    actor.must_be(Role.OWNER)
    if not storable(key_id):
        raise NotFound(NO_SUCH_KEY)
    done = await session.exec(
        update(ApiKey)
        .where(col(ApiKey.id) == key_id, col(ApiKey.account_id) == actor.account_id, col(ApiKey.revoked_at).is_(None))
        .values(revoked_at=func.now())
        .returning(col(ApiKey.id))
    )
    if done.first() is None:
        raise NotFound(NO_SUCH_KEY)
    await sessions.end_of_key(session, key_id)
    await audit.record(session, actor, Action.KEY_REVOKED, key_id)


async def _store(session: AsyncSession, account_id: str, terms: KeyTerms) -> IssuedKey:
    secret = new_secret(terms.scope)
    prefix = secret[: -(RANDOM_LENGTH + CHECKSUM_LENGTH - PREFIX_SHOWN)]
    key = ApiKey(account_id=account_id, prefix=prefix, sha256=digest(secret), **asdict(terms))
    session.add(key)
    await session.flush()
    return IssuedKey(key, secret)


def _live() -> tuple[ColumnElement[bool], ...]:
    """Conditions of a key that is neither revoked nor expired."""
    unexpired = or_(col(ApiKey.expires_at).is_(None), col(ApiKey.expires_at) > func.now())
    return col(ApiKey.revoked_at).is_(None), unexpired


async def _touch(session: AsyncSession, key: ApiKey) -> None:
    # Written at most once a minute, to save a row write on every request.
    stale = or_(col(ApiKey.last_used_at).is_(None), col(ApiKey.last_used_at) < func.now() - text("interval '1 minute'"))
    await session.exec(update(ApiKey).where(col(ApiKey.id) == key.id, stale).values(last_used_at=func.now()))


def new_secret(scope: str) -> str:
    """Make a new raw key."""
    body = f"lv_sk_{scope}_" + "".join(secrets.choice(BASE62) for _ in range(RANDOM_LENGTH))
    return body + checksum(body)


def well_formed(secret: str) -> bool:
    """Whether shape and checksum are right. Does not check that the key exists."""
    return bool(SHAPE.fullmatch(secret)) and checksum(secret[:-CHECKSUM_LENGTH]) == secret[-CHECKSUM_LENGTH:]


def checksum(body: str) -> str:
    """CRC-32 of `body` as six base62 digits."""
    value, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        value, digit = divmod(value, len(BASE62))
        digits = BASE62[digit] + digits
    return digits


def digest(secret: str) -> str:
    """SHA-256 in hex. Keys carry 154 random bits, so a fast hash without salt is safe."""
    return hashlib.sha256(secret.encode()).hexdigest()
