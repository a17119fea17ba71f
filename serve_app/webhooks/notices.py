"""Events about an account itself: its balance runs low, one of its keys ends soon. Each is told once."""

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.credits.models import EntryKind, LedgerEntry
from serve_app.keys.models import ApiKey
from serve_app.storage.database import after
from serve_app.webhooks import outbox
from serve_app.webhooks.models import Event, EventType

EXPIRING_S = 7 * 24 * 3600.0
"""How long before a key's end its owner is told."""


async def tell_balance(session: AsyncSession, account_id: str, balance: int, threshold: int) -> None:
    """Tell of a balance of 0, or below `threshold`; once until credits are granted."""
    if balance >= threshold:
        return
    mine = (col(LedgerEntry.account_id) == account_id, col(LedgerEntry.kind) == EntryKind.GRANT)
    latest_grant = (await session.exec(select(func.max(col(LedgerEntry.id))).where(*mine))).one()
    type_ = EventType.CREDITS_LOW if balance > 0 else EventType.CREDITS_EXHAUSTED
    data = {"balance": balance, "threshold": threshold}
    once = f"{type_} {account_id} {latest_grant}"
    await outbox.add(session, Event(account_id=account_id, type=type_, data=data, dedupe=once))


async def tell_expiring_keys(session: AsyncSession) -> None:
    """Tell of every key that ends within seven days."""
    soon = (col(ApiKey.expires_at) > func.now(), col(ApiKey.expires_at) < after(EXPIRING_S))
    query = select(ApiKey).where(*soon, col(ApiKey.revoked_at).is_(None))
    ending = {f"{EventType.KEY_EXPIRING} {key.id} {key.expires_at}": key for key in (await session.exec(query)).all()}
    told = set((await session.exec(select(col(Event.dedupe)).where(col(Event.dedupe).in_(ending)))).all())
    for once in ending.keys() - told:
        key = ending[once]
        ends = key.expires_at.isoformat() if key.expires_at else None
        data = {"key_id": key.id, "prefix": key.prefix, "scope": key.scope, "expires_at": ends}
        await outbox.add(session, Event(account_id=key.account_id, type=EventType.KEY_EXPIRING, data=data, dedupe=once))
