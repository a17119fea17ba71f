"""The tables of accounts, their members, sessions, one-time links and audit log."""

import secrets
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Column, Identity, Index, false
from sqlmodel import Field, SQLModel

from serve_app.accounts.actors import Actor, Role
from serve_app.storage.database import choice, timestamp

MAX_EMAIL = 254  # RFC 5321
MAX_DEVICE = 200
MAX_NOTE = 300
MAX_CONSENT = 1000


class Account(SQLModel, table=True):
    """A customer, who owns keys, credits and jobs."""

    __tablename__ = "accounts"

    id: str = Field(default_factory=lambda: f"acc_{secrets.token_hex(10)}", primary_key=True)
    name: str = Field(max_length=200)
    retention_days: int | None = None
    """Days that finished interviews are kept, where that is shorter than the deployment keeps them."""
    consent_text: str | None = Field(default=None, max_length=MAX_CONSENT)
    """What whoever submits in the web app confirms about the candidate. None for `preferences.CONSENT`."""
    default_rubric_id: str | None = Field(default=None, max_length=32)
    """The saved rubric that the form of a new interview begins with. No foreign key: rubrics are a layer above."""
    rate_first: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    """Whether people rate a candidate before the web app shows them the model's scores."""
    created_at: datetime = timestamp()


class Member(SQLModel, table=True):
    """A person who signs in to an account. An e-mail address belongs to one account of a deployment."""

    __tablename__ = "members"

    id: str = Field(default_factory=lambda: f"mem_{secrets.token_hex(10)}", primary_key=True, max_length=32)
    account_id: str = Field(foreign_key="accounts.id", index=True)
    email: str = Field(unique=True, max_length=MAX_EMAIL)
    """In lower case."""
    role: Role = Field(sa_type=choice(Role, "known_role"))
    password_hash: str | None = Field(default=None, max_length=200)
    """Argon2id. None: the member signs in by one-time links only."""
    created_at: datetime = timestamp()

    @property
    def actor(self) -> Actor:
        """The member as one who acts."""
        return Actor(self.account_id, self.role, self.email, member_id=self.id)


class LinkKind(StrEnum):
    """What a one-time link is for."""

    INVITATION = "invitation"
    """Makes a member."""
    RESET = "reset"
    """Sets a new password."""
    SIGN_IN = "sign_in"
    """Opens the app signed in."""


class OneTimeLink(SQLModel, table=True):
    """A link that works once: its row goes with its use. Its secret is never stored."""

    __tablename__ = "one_time_links"

    id: str = Field(default_factory=lambda: f"lnk_{secrets.token_hex(10)}", primary_key=True, max_length=32)
    sha256: str = Field(unique=True, max_length=64)
    kind: LinkKind = Field(sa_type=choice(LinkKind, "known_link_kind"))
    account_id: str = Field(foreign_key="accounts.id", index=True)
    member_id: str | None = Field(default=None, foreign_key="members.id", index=True, ondelete="CASCADE", max_length=32)
    """Whose password is reset, or who is signed in. None for an invitation."""
    email: str = Field(max_length=MAX_EMAIL)
    role: Role = Field(sa_type=choice(Role, "known_link_role"))
    created_at: datetime = timestamp()
    expires_at: datetime = timestamp()


class BrowserSession(SQLModel, table=True):
    """A browser that is signed in, as a member or with a key. The cookie's secret is never stored."""

    __tablename__ = "browser_sessions"

    id: str = Field(default_factory=lambda: f"ses_{secrets.token_hex(10)}", primary_key=True, max_length=32)
    sha256: str = Field(unique=True, max_length=64)
    account_id: str = Field(foreign_key="accounts.id", index=True)
    member_id: str | None = Field(default=None, foreign_key="members.id", index=True, ondelete="CASCADE", max_length=32)
    key_id: str | None = Field(default=None, max_length=32)
    """The API key that signed in. Each request looks it up, so that the session ends with it."""
    name: str = Field(max_length=MAX_EMAIL)
    """Who signed in, as lists show it."""
    device: str = Field(default="", max_length=MAX_DEVICE)
    """Browser and system, as the browser names them."""
    created_at: datetime = timestamp()
    seen_at: datetime = timestamp()
    expires_at: datetime = timestamp()


class AuditEntry(SQLModel, table=True):
    """Who did what, and when. Names nobody who was interviewed."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_account_at", "account_id", "at", "id"),
        Index("ix_audit_entries_subject", "account_id", "subject"),
    )

    id: int = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    account_id: str = Field(foreign_key="accounts.id")
    at: datetime = timestamp()
    actor: str = Field(max_length=MAX_EMAIL)
    member_id: str | None = Field(default=None, max_length=32)
    key_id: str | None = Field(default=None, max_length=32)
    action: str = Field(max_length=64)
    subject: str | None = Field(default=None, max_length=MAX_EMAIL)
    """Id of the job, key, member or webhook that it was done to."""
    note: str | None = Field(default=None, max_length=MAX_NOTE)
