"""Apply and write migrations. Imports the tables of every package."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, create_engine, text
from sqlmodel import SQLModel

import serve_app.accounts.models
import serve_app.credits.models
import serve_app.jobs.models
import serve_app.keys.models
import serve_app.model_pool.models
import serve_app.verticals.models
import serve_app.webhooks.models  # noqa: F401 - the imports fill SQLModel.metadata
from serve_app.storage.database import driver_url

MIGRATIONS = Path(__file__).parent / "storage" / "migrations"
MIGRATION_LOCK = 5_317_008_641
"""Advisory lock: of several processes that start together, one migrates at a time."""


def metadata() -> MetaData:
    """The metadata of all tables."""
    return SQLModel.metadata


def migrate(database_url: str) -> None:
    """Migrate a database to the newest schema. Several processes may call it at once."""
    engine = create_engine(driver_url(database_url))
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()
        command.upgrade(_config(connection), "head")
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()
    engine.dispose()


def differences(database_url: str) -> list[Any]:
    """Differences between the tables in code and a migrated database. Empty when no migration is missing."""
    engine = create_engine(driver_url(database_url))
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata())
    engine.dispose()
    return list(found)


def write_migration(database_url: str, message: str) -> None:
    """Write the next migration file from the differences. Review it before you commit it."""
    engine = create_engine(driver_url(database_url))
    with engine.connect() as connection:
        command.revision(_config(connection), message, autogenerate=True)
    engine.dispose()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes.update(connection=connection, metadata=metadata())
    return config
