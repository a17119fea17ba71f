"""The accounts table."""

import secrets
from datetime import datetime

from sqlmodel import Field, SQLModel

from serve_app.storage.database import timestamp


class Account(SQLModel, table=True):
    """A customer, who owns keys, credits and jobs."""

    __tablename__ = "accounts"

    id: str = Field(default_factory=lambda: f"acc_{secrets.token_hex(10)}", primary_key=True)
    name: str = Field(max_length=200)
    created_at: datetime = timestamp()
