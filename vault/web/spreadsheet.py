"""Tables for spreadsheets: comma-separated values (RFC 4180) in UTF-8 with a byte order mark, so that Arabic is read as what it is.

Invariant: no cell is ever taken for a formula.
"""

import csv
from collections.abc import Iterable
from typing import Final, TextIO

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", " ", "＝", "＋", "－", "＠")


def write_table(out: TextIO, rows: Iterable[Iterable[str]]) -> None:
    """Write the rows, the mark before the first."""
    out.write("\ufeff")
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([plain(cell) for cell in row] for row in rows)


def plain(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
