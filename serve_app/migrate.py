"""All tables in one place, and the migrations that make them. Above the nouns, since it must know every one."""

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
import serve_app.model_pool.models  # noqa: F401 - the imports fill SQLModel.metadata
from serve_app.storage.database import driver_url

MIGRATIONS = Path(__file__).parent / "storage" / "migrations"
ONE_AT_A_TIME = 5_317_008_641
"""Advisory lock: several processes may start at once, one migrates."""


def metadata() -> MetaData:
    """Every table of the product."""
    return SQLModel.metadata


def migrate(database_url: str) -> None:
    """Bring a database to the newest schema. Safe to call from several processes at once."""
    engine = create_engine(driver_url(database_url))
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ONE_AT_A_TIME})
        connection.commit()
        command.upgrade(_config(connection), "head")
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ONE_AT_A_TIME})
        connection.commit()
    engine.dispose()


def differences(database_url: str) -> list[Any]:
    """What the tables in code say that the migrated database does not; empty when a migration exists for all of it."""
    engine = create_engine(driver_url(database_url))
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata())
    engine.dispose()
    return list(found)


def write_migration(database_url: str, message: str) -> None:
    """Write the next migration file from the differences; read it before you commit it."""
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
