"""Reads form bodies: `application/x-www-form-urlencoded`, and `multipart/form-data` while it arrives (RFC 7578).

Invariants: bytes, parts and the headers of parts are counted as they come; nothing is spooled to a disk; an unknown or repeated field is
refused, and no error repeats anything of the body.
"""

import re
from binascii import a2b_qp
from collections.abc import AsyncIterator

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from vault.errors import Malformed
from vault.web.call import Headers
from vault.web.form import URLENCODED, Filled, Form, Upload
from vault.web.receiving import Receive, arriving, has_body

MAX_PART_HEADERS = 4
MAX_PART_HEADER = 2048
MOST_FILES = 50
"""Parts that are files in a form that is kept: the controller tells a person how many it takes."""

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=?-]{1,70}")  # RFC 2046, 5.1.1, without the space
_BROKEN_LINES = re.compile(r"\r\n?|[\v\f]")  # what a word processor puts between lines comes along when text is pasted
_CONTROL = re.compile(r"[\x01-\x08\x0e-\x1f\x7f]")  # so does this; nobody loses a long text for what she cannot see
_CONTROL_OR_NUL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_CUT_ESCAPE = re.compile(rb"%[0-9A-Fa-f]?\Z")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


async def fill(form: Form, headers: Headers, receive: Receive, limit: int) -> Filled:
    """Return the form of a request's body of at most `limit` bytes; where it has a file, everything before the file.

    Raises Malformed (`content-type`, `too-large` unless the form keeps what comes, `too-slow`, `malformed`, `unknown-form-field`) and
    Disconnected.
    """
    kind, boundary = _kind(form, headers)
    filled = Filled()
    if kind == URLENCODED and form.texts:
        limit = form.texts  # there are no files in it
    arrived = arriving(receive, () if form.keeps else headers, limit, form.seconds) if has_body(headers) else _nothing()
    if form.keeps:
        arrived = _as_far_as_it_may(arrived, filled)
    if kind == URLENCODED:
        raw = b"".join([piece async for piece in arrived])
        filled.fields = _pairs(_CUT_ESCAPE.sub(b"", raw) if filled.is_cut else raw, form, filled)
        return filled
    parts = _Parts(form, _events(arrived, _parser(form, boundary, limit), filled), filled)
    return await parts.until_file()


async def _as_far_as_it_may(arrived: AsyncIterator[bytes], filled: Filled) -> AsyncIterator[bytes]:
    """Yield the body up to the piece with which it is too large, which is noted and not refused."""
    try:
        async for piece in arrived:
            yield piece
    except Malformed as error:
        if error.code != "too-large":
            raise
        filled.is_cut = filled.is_short = True


def _kind(form: Form, headers: Headers) -> tuple[str, str]:
    """Return the media type and, of multipart, the boundary. Raises Malformed `content-type` (415) for others and for a compressed body."""
    types = [value for key, value in headers if key == b"content-type"]
    codings = [value for key, value in headers if key == b"content-encoding" and value.strip().lower() not in (b"", b"identity")]
    if codings or len(types) != 1:
        raise Malformed("content-type")
    kind, options = parse_options_header(types[0].decode("latin-1"))
    boundary = options.get("boundary", "")
    if kind not in form.kinds or options.get("charset", "utf-8").lower() != "utf-8":
        raise Malformed("content-type")
    if kind != URLENCODED and _BOUNDARY.fullmatch(boundary) is None:
        raise Malformed("content-type")
    return kind, boundary


def _pairs(raw: bytes, form: Form, filled: Filled) -> dict[str, str]:
    found: dict[str, str] = {}
    if not raw:
        return found
    if raw.count(b"&") >= len(form.fields):
        raise Malformed("unknown-form-field")
    for pair in raw.split(b"&"):
        key, _, value = pair.partition(b"=")
        name = _text(_unquoted(key))
        if filled.is_cut and name not in form.fields:
            break  # where the body was cut there may be half a name
        value = _unquoted(value)
        _weigh(value, _new(name, form, found), form)
        found[name] = _kept(value, form, filled)
    return found


def _unquoted(raw: bytes) -> bytes:
    if _BAD_ESCAPE.search(raw):
        raise Malformed
    # Quoted-printable with another sign, decoded in C: the library's unquoting takes half a microsecond a letter of what anybody sends.
    return a2b_qp(raw.replace(b"=", b"=3D").replace(b"%", b"=").replace(b"+", b" "))


def _new(name: str, form: Form, found: dict[str, str]) -> str:
    if name not in form.fields or name in found:
        raise Malformed("unknown-form-field")
    return name


def _weigh(raw: bytes | bytearray, name: str, form: Form) -> None:
    if len(raw) > form.fields[name] and not form.keeps:
        raise Malformed("too-large")


def _kept(raw: bytes, form: Form, filled: Filled) -> str:
    """The text of a field; where the body was cut, without the half of a character it may end with."""
    if filled.is_cut:
        raw = raw.decode(errors="ignore").encode()
    return _text(raw, _CONTROL_OR_NUL if form.keeps else _CONTROL)


def _text(raw: bytes, unseen: re.Pattern[str] = _CONTROL) -> str:
    try:
        text = _BROKEN_LINES.sub("\n", raw.decode())  # strict: overlong forms and surrogates are refused
    except UnicodeDecodeError:
        raise Malformed from None
    text = unseen.sub(" ", text)
    if "\x00" in text:
        raise Malformed
    return text


def _parser(form: Form, boundary: str, limit: int) -> PushMultipartParser:
    return PushMultipartParser(
        boundary,
        max_header_size=MAX_PART_HEADER,
        max_header_count=MAX_PART_HEADERS,
        max_segment_size=limit,
        max_segment_count=len(form.fields) + (MOST_FILES if form.keeps else form.most if form.file else 0),
    )


async def _events(
    arrived: AsyncIterator[bytes], parser: PushMultipartParser, filled: Filled
) -> AsyncIterator[MultipartSegment | bytes | None]:
    """Yield what the parser tells: a part's beginning, its pieces, None at its end."""
    try:
        async for piece in arrived:
            if piece and not parser.closed:
                for event in parser.parse(piece):
                    yield bytes(event) if isinstance(event, bytearray) else event
        if not filled.is_short:
            parser.close()
    except ParserLimitReached:
        raise Malformed("too-large") from None
    except MultipartError:
        raise Malformed from None


class _Parts:
    """The parts of one body, read in order."""

    def __init__(self, form: Form, events: AsyncIterator[MultipartSegment | bytes | None], filled: Filled) -> None:
        self._form = form
        self._events = events
        self._filled = filled
        self._files = self._kept_bytes = 0

    async def until_file(self) -> Filled:
        """Read text fields up to the file, or up to the end where there is none."""
        async for event in self._events:
            if not isinstance(event, MultipartSegment):
                raise Malformed  # between parts there is nothing; the parser keeps to that
            if event.name == self._form.file and self._form.file:
                self._take_file(event)
                break
            await self._take_text(event)
        return self._filled

    def _take_file(self, part: MultipartSegment) -> None:
        self._files += 1
        if self._files > self._form.most and not self._form.keeps:
            raise Malformed("unknown-form-field")
        self._filled.upload = Upload(self._pieces(), part.content_type or "", part.filename or "")

    async def _take_text(self, part: MultipartSegment) -> None:
        name = _new(part.name or "", self._form, self._filled.fields)
        if part.filename is not None or (part.charset or "utf-8").lower() != "utf-8":
            raise Malformed
        raw = bytearray()
        async for event in self._events:
            if not isinstance(event, bytes):
                break
            raw += self._within(event)
            _weigh(raw, name, self._form)
        self._filled.fields[name] = _kept(bytes(raw), self._form, self._filled)

    def _within(self, piece: bytes) -> bytes:
        """The piece of a text as far as all texts together may go beside files."""
        if self._form.texts and len(piece) > self._form.texts - self._kept_bytes:
            piece = piece[: self._form.texts - self._kept_bytes]
            self._filled.is_cut = True
        self._kept_bytes += len(piece)
        return piece

    async def _pieces(self) -> AsyncIterator[bytes]:
        async for event in self._events:
            if not isinstance(event, bytes):
                break
            yield event
        else:
            raise Malformed("too-large")  # the body was read as far as it may come, and this file is not whole
        await self.until_file()  # a file too many raises; what else follows is text


async def _nothing() -> AsyncIterator[bytes]:
    yield b""
