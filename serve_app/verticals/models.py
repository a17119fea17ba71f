"""The tables of an account's own rubrics: templates, and their versions. A version never changes."""

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, ForeignKey, String, UniqueConstraint
from sqlmodel import Field, SQLModel

from serve_app.storage.database import timestamp

MAX_NAME = 80


class RubricTemplate(SQLModel, table=True):
    """A rubric that an account keeps under a name."""

    __tablename__ = "rubric_templates"
    __table_args__ = (UniqueConstraint("account_id", "name", name="one_rubric_per_account_and_name"),)

    id: str = Field(default_factory=lambda: f"rub_{secrets.token_hex(10)}", primary_key=True, max_length=32)
    account_id: str = Field(foreign_key="accounts.id")
    name: str = Field(max_length=MAX_NAME)
    created_at: datetime = timestamp()


class RubricVersion(SQLModel, table=True):
    """What a rubric said from one save to the next. Jobs keep a copy of the version that they were assessed by."""

    __tablename__ = "rubric_versions"

    rubric_id: str = Field(
        sa_column=Column(String(32), ForeignKey("rubric_templates.id", ondelete="CASCADE"), primary_key=True)
    )
    number: int = Field(primary_key=True)
    """From 1, without gaps."""
    competencies: list[dict[str, Any]] = Field(sa_type=JSON)
    """JSON, because JSONB sorts keys."""
    author: str = Field(max_length=254)
    created_at: datetime = timestamp()
