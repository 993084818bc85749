"""One message as it came, taken apart within limits: its header fields, who wrote it, what an officer reads of it, what lies with it.

Invariants: whatever the bytes are there is a Letter, since every message becomes a report; nothing is fetched, run or unpacked; what went
beyond a limit or could not be read is said (`marks`), and the bytes are kept whole by who calls; what is read comes from `fields` and from
`body`, which are what a signature is checked over wherever the head `is_sound`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.utils import getaddresses
from typing import Final, Literal

from vault.breach_reports.mail.parts import Part, parted
from vault.breach_reports.mail.words import address_of, decoded, header_text, shown, text_of_html

MOST_FIELDS: Final = 250
MOST_HEAD: Final = 256 * 1024
MOST_DEPTH: Final = 10
MOST_PARTS: Final = 50
MOST_MULTIPARTS: Final = 50
MOST_DASHES: Final = 4000
MOST_WORK: Final = 2_500_000
"""Lines that begin with two dashes (no more can be boundaries), and lines times multiparts (each is held against every boundary that is
open): they are counted before anything is parsed."""
MOST_PARSED: Final = 8 * 1024 * 1024
"""Bytes whose structure is followed, which takes some twenty times as much memory; what lies behind them is not listed."""
MOST_SHOWN: Final = 10_000
MOST_HEADER: Final = 500
MOST_FROMS: Final = 10
"""Fields that name authors which are read; with two there is no author."""
MOST_TEXT_BYTES: Final = 1024 * 1024
"""Bytes of the one text that is read of a message."""
_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_SOUND: Final = re.compile(rb"[!-9;-~]+:[^\r\n\x00]*|[ \t][^\r\n\x00]*")
_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_NESTS: Final = re.compile(rb"(?:multipart|message)/", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"[^\s<>()\[\]\\,;:@\"]{1,64}@[^\s<>()\[\]\\,;:@\"/]{1,253}")
_BULK: Final = frozenset({"bulk", "junk", "list", "auto_reply"})

Mark = Literal["head-too-large", "too-many-parts", "too-deep", "too-large", "unreadable", "text-cut"]
Text = Literal["plain", "html", "none"]


@dataclass(frozen=True, slots=True)
class File:
    """What lies with a message: its name as its sender wrote it, the type he claims, its size in bytes."""

    name: str
    type: str
    size: int


@dataclass(slots=True)
class Letter:
    """A message taken apart. `froms` holds every author by address; `text` is what an officer reads, `text_is` where that came from.

    `body_at` is where its body begins, `is_sound` whether its head is fields and nothing else, which every reader takes apart alike.
    Who knows that these bytes are the beginning of more says so by `is_cut`.
    """

    raw: bytes
    fields: list[tuple[str, bytes]]
    body_at: int = 0
    is_sound: bool = True
    froms: list[str] = field(default_factory=list)
    subject: str = ""
    sent: str = ""
    message_id: str = ""
    text: str = ""
    text_is: Text = "none"
    files: list[File] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    automatic: str = ""
    is_cut: bool = False

    @property
    def author(self) -> str:
        """The one address the message is from, "" where there is none or are several: then it is from nobody."""
        return self.froms[0] if len(self.froms) == 1 and self.count("from") == 1 else ""

    @property
    def domain(self) -> str:
        """The domain of the author in ASCII, "" for none."""
        return self.author.rpartition("@")[2]

    @property
    def language(self) -> Literal["ar", "en"]:
        """The language it is written in: Arabic unless there is no Arabic letter in it but some of another script."""
        told = self.subject + self.text
        return "en" if re.search(r"[\u0600-\u06ff]", told) is None and re.search(r"[A-Za-z]", told) else "ar"

    def values(self, name: str) -> list[bytes]:
        """The values of a header field, in order."""
        return [value for key, value in self.fields if key == name]

    @property
    def body(self) -> bytes:
        """Its body, as it came."""
        return self.raw[self.body_at :]

    def count(self, name: str) -> int:
        """How often a header field is there."""
        return len(self.values(name))

    def first(self, name: str) -> str:
        """The topmost value of a header field as text, "" without it."""
        found = self.values(name)
        return header_text(found[0]) if found else ""


def read_letter(raw: bytes) -> Letter:
    """Take a message apart, whatever it is."""
    end = _END_OF_HEAD.search(raw, 0, MOST_HEAD)
    head, body_at = (raw[: end.start()], end.end()) if end else (raw[:MOST_HEAD], min(len(raw), MOST_HEAD))
    told = _fields(re.split(rb"\r?\n", head))
    letter = Letter(raw, told[:MOST_FIELDS], body_at, _is_sound(head))
    is_whole = len(told) <= MOST_FIELDS and (end is not None or len(raw) <= MOST_HEAD)
    if not is_whole:
        letter.marks.append("head-too-large")
    _address(letter)
    letter.automatic = _automatic(letter)
    if not is_whole or not _is_parsed(letter, raw):
        letter.text, letter.text_is, letter.files = decoded(raw[body_at : body_at + MOST_TEXT_BYTES], ""), "none", []
    letter.text = shown(letter.text).strip()
    if len(letter.text) > MOST_SHOWN:
        letter.marks.append("text-cut")
        letter.text = letter.text[:MOST_SHOWN]
    return letter


def lines(raw: bytes) -> int:
    """How many lines there are, by whichever end of a line is more."""
    return max(raw.count(b"\n"), raw.count(b"\r"))


def _is_sound(head: bytes) -> bool:
    """Whether all lines end alike and each is a field or goes on with one: a bare CR ends a line to some readers and not to others."""
    end = b"\r\n" if b"\r\n" in head else b"\n"
    found = head.removesuffix(end).split(end)
    return found[0][:1] not in (b" ", b"\t") and all(_SOUND.fullmatch(line) is not None for line in found)


def _fields(lines_: Sequence[bytes]) -> list[tuple[str, bytes]]:
    """The header fields, unfolded, their names in small letters; what is no field is passed over. One more than the most are looked at."""
    found: list[tuple[str, list[bytes]]] = []
    for line in lines_:
        if line[:1] in (b" ", b"\t"):
            if found:
                found[-1][1].append(line)
        elif (field_ := _FIELD.fullmatch(line)) is not None:
            if len(found) > MOST_FIELDS:
                break
            found.append((field_[1].decode("ascii").lower(), [field_[2]]))
    return [(name, b"".join(pieces).strip()) for name, pieces in found]


def _address(letter: Letter) -> None:
    letter.subject = shown(letter.first("subject"))[:MOST_HEADER]
    letter.sent = shown(letter.first("date"))[:100]
    letter.message_id = shown(letter.first("message-id"))[:MOST_HEADER]
    authors = [header_text(value, encoded=False) for value in letter.values("from")[:MOST_FROMS]]
    try:
        named = getaddresses([each[:4000] for each in authors])
    except (RecursionError, ValueError, IndexError):  # comments in comments in comments: from nobody
        letter.marks.append("unreadable")
        return
    for _, address in named:
        if (found := address_of(address, _ADDRESS)) and found not in letter.froms:
            letter.froms.append(found)


def _automatic(letter: Letter) -> str:
    """Why no person is taken to have written it just now, "" where one is: what answers to such mail makes loops (RFC 3834)."""
    said = letter.first("auto-submitted").partition(";")[0].strip().lower()
    returns = letter.values("return-path")
    if said and said != "no":
        return "auto-submitted"
    if returns and returns[0].strip() == b"<>":
        return "bounce"
    if "report" in letter.first("content-type").partition(";")[0].lower():
        return "bounce"
    if letter.first("precedence").strip().lower() in _BULK or letter.count("list-id"):
        return "list"
    return "auto-reply" if letter.count("x-autoreply") or letter.count("x-autorespond") else ""


def _is_parsed(letter: Letter, raw: bytes) -> bool:
    """Whether text and files were found by the structure of the message; False where it has none that may be followed."""
    if len(raw) > MOST_PARSED:
        letter.marks.append("too-large")
        raw = raw[:MOST_PARSED]
    nests = len(_NESTS.findall(raw))
    if nests > MOST_MULTIPARTS or raw.count(b"\n--") > MOST_DASHES or lines(raw) * (nests + 1) > MOST_WORK:
        letter.marks.append("too-many-parts")
        return False
    try:
        _walk(letter, parted(letter.fields, raw[letter.body_at :]))
    except Exception:  # noqa: BLE001 - the parser's own failures have no one name, and every message becomes a report
        letter.marks.append("unreadable")
        return False
    return True


def _walk(letter: Letter, whole: Part) -> None:
    """Find the text and the files, outermost first; a message within a message is a file."""
    texts: dict[str, Part] = {}
    waiting, seen = [(whole, 1)], 0
    while waiting:
        part, depth = waiting.pop(0)
        seen += 1
        if seen > MOST_PARTS:
            letter.marks.append("too-many-parts")
            break
        if part.is_inert and "unreadable" not in letter.marks:
            letter.marks.append("unreadable")
        payload = part.get_payload()
        if isinstance(payload, list):
            if depth >= MOST_DEPTH:
                letter.marks.append("too-deep")
                continue
            waiting[:0] = [(each, depth + 1) for each in payload if isinstance(each, Part)]
            continue
        name = _name(part)
        is_text = not name and part.kind in ("text/plain", "text/html") and "attachment" not in _disposition(part)
        if is_text and part.kind not in texts:
            texts[part.kind] = part
            continue
        letter.files.append(File(name or part.kind, part.kind[:100], len(part.octets)))
    letter.text, letter.text_is = _text(texts)


def _text(texts: dict[str, Part]) -> tuple[str, Text]:
    plain, html = texts.get("text/plain"), texts.get("text/html")
    if plain is not None and (text := _content(plain)).strip():
        return text, "plain"
    if html is not None:
        return text_of_html(_content(html)), "html"
    return "", "none"


def _content(part: Part) -> str:
    return decoded(part.octets[:MOST_TEXT_BYTES], part.parameter("charset") or "")


def _name(part: Part) -> str:
    name = part.filename
    if name is None:
        return ""
    return shown(header_text(name.strip().encode("utf-8", "surrogateescape"))).replace("/", "_").replace("\\", "_").strip()[:200] or "?"


def _disposition(part: Part) -> str:
    return str(part.get("content-disposition", "")).lower()
