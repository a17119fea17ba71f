"""Issue, verify and revoke keys.

The last six characters are a CRC-32 of the rest, so a mistyped key is refused without a lookup (the form GitHub
introduced for its tokens in 2021).
"""

import hashlib
import re
import secrets
import string
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, text, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.errors import NotFound, Unauthorized
from serve_app.keys.models import ApiKey
from serve_app.storage.text import storable

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
SHAPE = re.compile(r"lv_sk_[a-z][a-z0-9-]{0,47}_[0-9A-Za-z]{32}")
RANDOM_LENGTH = 26  # 26 base62 characters carry 154 bits
CHECKSUM_LENGTH = 6
NO_SUCH_KEY = "No live key with this id exists in your account."
PREFIX_SHOWN = 4
"""Characters of the secret that lists show: enough to tell keys apart, 24 bits of 154."""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key at the only moment its secret is known."""

    key: ApiKey
    secret: str


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """What a key may do, and for how long."""

    scope: str
    name: str = ""
    expires_at: datetime | None = None
    monthly_cap: int | None = None


async def issue(session: AsyncSession, account_id: str, terms: KeyTerms) -> IssuedKey:
    """Create a key for one product or for `all`."""
    secret = new_secret(terms.scope)
    prefix = secret[: -(RANDOM_LENGTH + CHECKSUM_LENGTH - PREFIX_SHOWN)]
    key = ApiKey(account_id=account_id, prefix=prefix, sha256=digest(secret), **asdict(terms))
    session.add(key)
    await session.flush()
    return IssuedKey(key, secret)


async def list_keys(session: AsyncSession, account_id: str) -> Sequence[ApiKey]:
    """All keys of an account, newest first, ended ones included."""
    query = select(ApiKey).where(col(ApiKey.account_id) == account_id).order_by(col(ApiKey.created_at).desc())
    return (await session.exec(query)).all()


async def rotate(session: AsyncSession, account_id: str, key_id: str, overlap_s: float) -> IssuedKey:
    """Replace a live key; the old one works for `overlap_s` seconds more. Raises `NotFound`."""
    if not storable(key_id):
        raise NotFound(NO_SUCH_KEY)
    ends = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, overlap_s)
    old = (
        await session.exec(
            update(ApiKey)
            .where(col(ApiKey.id) == key_id, col(ApiKey.account_id) == account_id, *_live())
            .values(expires_at=func.least(func.coalesce(ApiKey.expires_at, ends), ends))
            .returning(ApiKey)
        )
    ).scalar()
    if old is None:
        raise NotFound(NO_SUCH_KEY)
    # The replacement outlives the old key, whose own end may have been near.
    return await issue(session, account_id, KeyTerms(old.scope, old.name, None, old.monthly_cap))


async def verify(session: AsyncSession, secret: str) -> ApiKey:
    """The live key behind `secret`. Raises `Unauthorized`, in the same words for every reason."""
    if not well_formed(secret):
        raise Unauthorized
    key = (await session.exec(select(ApiKey).where(col(ApiKey.sha256) == digest(secret), *_live()))).first()
    if key is None:
        raise Unauthorized
    await _touch(session, key)
    return key


async def live(session: AsyncSession, key_id: str) -> ApiKey | None:
    """The key with this id, if it still opens anything."""
    return (await session.exec(select(ApiKey).where(col(ApiKey.id) == key_id, *_live()))).first()


async def revoke(session: AsyncSession, account_id: str, key_id: str) -> None:
    """End a key now. Raises `NotFound` when the account has no such live key."""
    if not storable(key_id):
        raise NotFound(NO_SUCH_KEY)
    done = await session.exec(
        update(ApiKey)
        .where(col(ApiKey.id) == key_id, col(ApiKey.account_id) == account_id, col(ApiKey.revoked_at).is_(None))
        .values(revoked_at=func.now())
        .returning(col(ApiKey.id))
    )
    if done.first() is None:
        raise NotFound(NO_SUCH_KEY)


def _live() -> tuple[ColumnElement[bool], ...]:
    """Conditions of a key that opens anything."""
    unexpired = or_(col(ApiKey.expires_at).is_(None), col(ApiKey.expires_at) > func.now())
    return col(ApiKey.revoked_at).is_(None), unexpired


async def _touch(session: AsyncSession, key: ApiKey) -> None:
    # Once a minute is precise enough for people and spares a row write on every request.
    stale = or_(col(ApiKey.last_used_at).is_(None), col(ApiKey.last_used_at) < func.now() - text("interval '1 minute'"))
    await session.exec(update(ApiKey).where(col(ApiKey.id) == key.id, stale).values(last_used_at=func.now()))


def new_secret(scope: str) -> str:
    """A fresh raw key."""
    body = f"lv_sk_{scope}_" + "".join(secrets.choice(BASE62) for _ in range(RANDOM_LENGTH))
    return body + checksum(body)


def well_formed(secret: str) -> bool:
    """Whether the shape and the checksum are right; says nothing about whether the key exists."""
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
