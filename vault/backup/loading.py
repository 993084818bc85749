"""Puts the frames of a backup into an empty database, of either engine: the same code proves a backup in a scratch one and restores it.

Invariants: only the tables, columns and association that belong there are taken, each table once; wrapped keys join their rows by the key
of the table, and one whose row is not in the copy is left out, so that newer or older keys bring nobody back.
"""

from typing import Any

from sqlalchemy import Connection, Update, bindparam, insert, update

from vault.backup.frames import Frame
from vault.backup.parts import DATA, WHOLE_IN_KEYS, WRAPPED, Share, shares
from vault.backup.refused import BackupRefused
from vault.storage.group_commit import DATABASE_ERRORS

_OWN = "association_id"


class Loader:
    """Takes the frames of one file, for one association (16-byte id)."""

    def __init__(self, connection: Connection, association: bytes, part: str) -> None:
        """Begin before the first frame; the caller entered the association and commits."""
        self._connection = connection
        self._association = association
        self._part = part
        self._shares = {share.table.name: share for share in shares(part)}
        self._now: Share | None = None
        self.counts: dict[str, int] = {}
        self.ended = False

    def take(self, frame: Frame) -> None:
        """Take the next frame. Raises BackupRefused `backup-altered`, the file named, for what does not belong there."""
        match frame:
            case ["table", str(name), list(columns)] if not self.ended:
                self._begin(name, columns)
            case ["rows", list(rows)] if rows and self._now is not None and not self.ended:
                self._add(self._now, rows)
            case ["end", int(count)] if count == sum(self.counts.values()) and not self._shares and not self.ended:
                self.ended = True
            case _:
                raise BackupRefused(part=self._part)

    def _begin(self, name: str, columns: list[Any]) -> None:
        share = self._shares.pop(name, None)
        if share is None or share.names != columns:
            raise BackupRefused(part=self._part)
        self._now, self.counts[name] = share, 0

    def _add(self, share: Share, rows: list[Any]) -> None:
        names = share.names
        try:
            given = [dict(zip(names, row, strict=True)) for row in rows]
            if any(row[_OWN] != self._association for row in given):
                raise BackupRefused(part=self._part)
            self._write(share, given)
        except (TypeError, ValueError, *DATABASE_ERRORS) as error:
            raise BackupRefused(part=self._part) from error
        self.counts[share.table.name] += len(rows)

    def _write(self, share: Share, rows: list[dict[str, Any]]) -> None:
        table = share.table
        if self._part == DATA or table.name in WHOLE_IN_KEYS:
            # A row waits for its key: until the keys are there it opens under none.
            blank = {WRAPPED: b""} if WRAPPED in table.c and WRAPPED not in share.names else {}
            self._connection.execute(insert(table), [row | blank for row in rows])
        else:
            self._connection.execute(_joining(share), [{f"the_{name}": value for name, value in row.items()} for row in rows])


def _joining(share: Share) -> Update:
    place = [column == bindparam(f"the_{column.name}") for column in share.table.primary_key.columns]
    return update(share.table).where(*place).values({WRAPPED: bindparam(f"the_{WRAPPED}")})
