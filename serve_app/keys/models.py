"""The api_keys table."""

import secrets
from datetime import datetime

from sqlmodel import Field, SQLModel

from serve_app.accounts.actors import Actor, Role
from serve_app.storage.database import optional_timestamp, timestamp


class ApiKey(SQLModel, table=True):
    """One key of an account. The raw key is never stored."""

    __tablename__ = "api_keys"

    id: str = Field(default_factory=lambda: f"key_{secrets.token_hex(10)}", primary_key=True)
    account_id: str = Field(foreign_key="accounts.id", index=True)
    name: str = Field(default="", max_length=200)
    scope: str = Field(max_length=64)
    prefix: str = Field(max_length=96)
    """Shown in lists: the scope and the first characters of the secret."""
    sha256: str = Field(unique=True, max_length=64)
    monthly_cap: int | None = None
    """Most credits the key may spend in a calendar month (UTC); None for no cap."""
    created_at: datetime = timestamp()
    expires_at: datetime | None = optional_timestamp()
    revoked_at: datetime | None = optional_timestamp()
    last_used_at: datetime | None = optional_timestamp()

    @property
    def opens_all(self) -> bool:
        """Whether the key covers every product, and with that the account itself."""
        return self.scope == ALL_SCOPES

    @property
    def actor(self) -> Actor:
        """The key as one who acts: an owner within its scope, which for one product leaves out the account itself."""
        role = Role.OWNER if self.opens_all else Role.RECRUITER
        return Actor(self.account_id, role, self.name or self.prefix, key_id=self.id)

    def opens(self, vertical: str) -> bool:
        """Whether the key's scope covers a product."""
        return self.scope in (ALL_SCOPES, vertical)


ALL_SCOPES = "all"
