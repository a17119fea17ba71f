"""The credit_ledger table."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Identity, UniqueConstraint
from sqlmodel import Field, SQLModel

from serve_app.storage.database import choice, optional_timestamp, timestamp

MAX_REASON = 200


class EntryKind(StrEnum):
    """Why credits moved."""

    GRANT = "grant"
    """Credits were given or bought."""
    CHARGE = "charge"
    """A job was accepted."""
    RELEASE = "release"
    """A job was canceled before a model had begun to work on it."""
    REFUND = "refund"
    """A job failed and cannot be retried any more, or no speech was found in its recording."""
    EXPIRY = "expiry"
    """The rest of a grant was taken back at its end."""


class LedgerEntry(SQLModel, table=True):
    """One movement. The balance of an account is the sum of its rows."""

    __tablename__ = "credit_ledger"
    __table_args__ = (
        UniqueConstraint("job_id", "kind", name="one_entry_per_job_and_kind"),
        CheckConstraint("credits <> 0", name="ledger_entry_moves_credits"),
    )

    id: int = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    account_id: str = Field(foreign_key="accounts.id", index=True)
    kind: EntryKind = Field(sa_type=choice(EntryKind, "known_entry_kind"))
    credits: int
    """Positive into the account, negative out of it."""
    job_id: str | None = Field(default=None, max_length=32)
    key_id: str | None = Field(default=None, foreign_key="api_keys.id", index=True)
    """The key that was charged; counts towards its monthly cap."""
    expires_at: datetime | None = optional_timestamp()
    """Grants only: when the rest of the grant is taken back."""
    grant_id: int | None = Field(
        default=None, sa_column=Column(BigInteger, ForeignKey("credit_ledger.id"), unique=True)
    )
    """Expiries only: the grant that ended."""
    reason: str = Field(default="", max_length=MAX_REASON)
    """In words, for people."""
    created_at: datetime = timestamp()
