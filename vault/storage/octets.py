"""Bytes as SQLite gives them: a column there holds a value of any type, and only bytes come in as bytes."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Column, ColumnElement, Dialect, LargeBinary, cast

from vault.errors import Unavailable


class Octets(LargeBinary):
    """A column of bytes; whatever else lies in it raises Unavailable `integrity` where the row is read."""

    def result_processor(self, _dialect: Dialect, _coltype: object) -> Callable[[Any], bytes | None]:
        """How a value comes in."""
        return _bytes


def octets(column: Column[bytes]) -> ColumnElement[bytes]:
    """The column as bytes whatever lies in it: for who compares it with what the log says, and for examiners, who stumble over nothing."""
    return cast(column, LargeBinary).label(column.name)


def _bytes(value: Any) -> bytes | None:  # noqa: ANN401 - whatever was put there
    if value is None or isinstance(value, bytes):
        return value
    raise Unavailable("integrity")
