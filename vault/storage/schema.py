"""Brings the database's schema to the newest version, and refuses to serve on any other."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from vault.errors import VaultError
from vault.storage.engine import Database


class SchemaRefused(VaultError):
    """The database has no schema, or not this version's."""

    code = "schema-outdated"


def upgrade(database: Database) -> None:
    """Create the schema or bring it to the newest version, in one transaction."""
    with database.connect() as connection, connection.begin():
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def newest() -> str:
    """The schema's version this code was written for."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def is_empty(database: Database) -> bool:
    """Whether no version of the vault ever made its tables there."""
    with database.connect() as connection:
        return not _versions(connection.execution_options(reading=True))


def check(database: Database) -> None:
    """Raise SchemaRefused unless the schema is the one this version was written for."""
    with database.connect() as connection:
        if _versions(connection.execution_options(reading=True)) != (newest(),):
            raise SchemaRefused


def _versions(connection: Connection) -> tuple[str, ...]:
    return MigrationContext.configure(connection).get_current_heads()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
