"""The database engine and transactions. The code that opens a transaction commits it; services only flush."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any

from sqlalchemy import DateTime, Enum, event, func, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import Field
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.errors import Unavailable
from serve_app.storage.moments import ClampingLoader

Timestamp = DateTime(timezone=True)


def timestamp(**kwargs: Any) -> Any:
    """A `timestamptz` column that defaults to the database's current time."""
    return Field(
        default=None, sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()"), "nullable": False}, **kwargs
    )


def optional_timestamp() -> Any:
    """A nullable `timestamptz` column."""
    return Field(default=None, sa_type=Timestamp)


def after(seconds: float) -> Any:
    """The database's time `seconds` from now."""
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def choice(enum: type[StrEnum], name: str) -> Enum:
    """A text column for an enum's values, with the check constraint `name`."""
    return Enum(
        enum,
        native_enum=False,  # a native enum cannot lose a value again, and gains one only outside a transaction
        create_constraint=True,
        name=name,
        length=32,
        values_callable=lambda cls: [member.value for member in cls],
    )


def driver_url(url: str) -> str:
    """`url` with the scheme of the psycopg driver, in place of any other PostgreSQL scheme."""
    _, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}"


OUTAGES = (OperationalError, InterfaceError, NoConnection)
"""Errors of a database that is away, full or restarting. Errors of a statement are not among them."""


def _read_every_time(connection: Any, _: object) -> None:
    connection.driver_connection.adapters.register_loader("timestamptz", ClampingLoader)


Publish = Callable[[Iterable[str]], Awaitable[None]]
TOPICS = "topics to wake after commit"


def wake_after_commit(session: AsyncSession, topic: str) -> None:
    """Publish `topic` after this transaction commits. Publishes nothing if it rolls back."""
    session.info.setdefault(TOPICS, []).append(topic)


class Database:
    """A pool of connections to PostgreSQL. Publishes a transaction's topics after its commit."""

    def __init__(
        self, url: str, publish: Publish | None = None, pool_size: int = 10, timeout_s: float | None = 10.0
    ) -> None:
        self._publish = publish
        self._timeout_s = timeout_s
        self.engine = create_async_engine(
            driver_url(url), pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True,
            hide_parameters=True,  # errors are logged, and a statement's values are names and transcripts
        )  # fmt: skip
        event.listen(self.engine.sync_engine, "connect", _read_every_time)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session that commits when the block ends and rolls back when it raises.

        Raises `Unavailable` when the database is away, or has not finished after the time limit.
        """
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                AsyncSession(self.engine, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield session
        except (*OUTAGES, TimeoutError) as error:
            raise Unavailable("The database does not answer. Send the request again shortly.") from error
        if self._publish and (topics := session.info.get(TOPICS)):
            await self._publish(topics)

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
