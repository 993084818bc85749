"""An association's own policy document: what is refused, what its publisher is told, and how its words are laid out to be read.

Invariants: the document's bytes are never changed; what is laid out has every character of the document in the same order but for ends of
lines, and a character that would be invisible, turn the reading direction or not be held by a page stands there by its number.
Format: docs/spec/published-policy.md.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal

from vault.errors import FieldError, Invalid

LARGEST: Final = 1 << 20
"""Bytes of the longest document: 1 MiB."""

Direction = Literal["rtl", "ltr"]
RemarkCode = Literal[
    "lost-characters",
    "private-characters",
    "presentation-forms",
    "direction-controls",
    "hidden-characters",
    "unseen-characters",
    "control-characters",
]

# What Unicode ends a line with (UAX 14: BK, CR, LF, NL) but the form feed, which ends a page.
_LINE_END: Final = re.compile("\r\n|[\n\r\v\x85\u2028\u2029]")
# As an editor counts lines.
_EDITORS_END: Final = re.compile("\r\n?|\n")
# Not what Python strips: it takes four controls for spaces.
_SPACES: Final = "\t \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
# Embeddings, overrides and isolates (UAX 9): what stands between them is not read in the order of the bytes.
_TURNING: Final = "\u202a-\u202e\u2066-\u2069"
# The other format characters, but those that writing needs (joiners, marks of direction, soft hyphen, places to break) and those that show.
_HIDDEN: Final = (
    "\u180e\u2061-\u2064\u206a-\u206f\ufff9-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001-\U000e007f"
)
# What cannot be seen either, but may be meant, and is laid out as it is: spaces without width, fillers, selectors of a shape.
_UNSEEN: Final = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u200b\u2060\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0100-\U000e01ef"
# Controls, but the tab; and the code points that are never characters (Unicode 23.7).
_CONTROLS: Final = "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufdd0-\ufdef" + "".join(
    chr(plane << 16 | end) for plane in range(17) for end in (0xFFFE, 0xFFFF)
)
_BY_NUMBER: Final = re.compile(f"([{_TURNING}{_HIDDEN}{_CONTROLS}])")
# Letters of the scripts that are written from the right, digits not among them.
_FROM_THE_RIGHT: Final = re.compile(
    "[\u05be-\u05f4\u061b-\u065f\u066d-\u06ef\u06fa-\u08ff\ufb1d-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_LETTER: Final = re.compile(r"[^\W\d_]")
_WORTH_A_REMARK: Final[dict[RemarkCode, re.Pattern[str]]] = {
    "lost-characters": re.compile("\ufffd"),
    "private-characters": re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]"),
    # Arabic letters in the shape of their place, as old programs and some scans write them.
    "presentation-forms": re.compile("[\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc]"),
    "direction-controls": re.compile(f"[{_TURNING}]"),
    "hidden-characters": re.compile(f"[{_HIDDEN}]"),
    "unseen-characters": re.compile(f"[{_UNSEEN}]"),
    "control-characters": re.compile(f"[{_CONTROLS}]"),
}


class DocumentRefused(Invalid):
    """What cannot be published at all: `document-unreadable`, `document-empty`, `document-too-large`."""

    def __init__(self, code: str) -> None:
        """Name the member that holds the document."""
        super().__init__([FieldError("text", "out-of-range")], code)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something the publisher should look at: what, how often, and the line of the first as an editor counts them, from 1."""

    code: RemarkCode
    count: int
    line: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line: its characters as they are, or one character's number, such as U+202E, in its place."""

    text: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line in its own reading direction."""

    pieces: tuple[Piece, ...]
    direction: Direction


Block = tuple[Line, ...]
Page = tuple[Block, ...]


def read(content: bytes) -> str:
    """Return the document's text: UTF-8 of at most 1 MiB, no NUL, one letter or digit at least. Raises DocumentRefused."""
    if len(content) > LARGEST:
        raise DocumentRefused("document-too-large")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise DocumentRefused("document-unreadable") from None
    if "\x00" in text:
        raise DocumentRefused("document-unreadable")
    if re.search(r"[^\W_]", text) is None:
        raise DocumentRefused("document-empty")
    return text


def remarks(text: str) -> tuple[Remark, ...]:
    """Return what the publisher should look at; nothing of it is a reason to refuse."""
    found = ((code, [each.start() for each in pattern.finditer(text)]) for code, pattern in _WORTH_A_REMARK.items())
    return tuple(Remark(code, len(places), 1 + len(_EDITORS_END.findall(text, 0, places[0]))) for code, places in found if places)


def pages(text: str) -> tuple[Page, ...]:
    """Return the text laid out: pages between form feeds, blocks between blank lines, lines. A page without words is left out."""
    laid = (tuple(_blocks(_LINE_END.split(page))) for page in text.split("\f"))
    return tuple(page for page in laid if page)


def _blocks(lines: Iterable[str]) -> Iterator[Block]:
    for is_blank, group in groupby(lines, key=lambda line: not line.strip(_SPACES)):
        if not is_blank:
            yield tuple(map(_line, group))


def _line(text: str) -> Line:
    # What a split by one group gives: every second part is what the group found.
    parts = enumerate(_BY_NUMBER.split(text))
    pieces = (Piece(f"U+{ord(part):04X}", is_number=True) if place % 2 else Piece(part) for place, part in parts if part)
    return Line(tuple(pieces), _direction(text))


def _direction(text: str) -> Direction:
    """Left to right for a line that has letters and none of them is of a script written from the right."""
    return "ltr" if _LETTER.search(text) and not _FROM_THE_RIGHT.search(text) else "rtl"
