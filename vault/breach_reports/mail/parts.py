"""The parts of a message, by the fields that say how each is read, and nothing else of what stands above it.

Invariants: the outermost head is written anew from the fields that were read of it, so that no other reading of its bytes comes in; a field
that is too long to be gone through is passed over, and what it spoke of is kept as octets; an attached message is not opened.
"""

import re
from collections.abc import Container, Sequence
from email.message import Message
from email.parser import BytesParser
from typing import Final

from vault.breach_reports.mail.words import decoded

SHAPES: Final = ("content-type", "content-transfer-encoding", "content-disposition")
"""The fields that decide what is read of a body. MIME-Version decides nothing here."""
MOST_PARAMETERS: Final = 3072
"""Characters of a field whose parameters are looked for, for which Python takes quadratic time; the longest name of a file takes 2,000."""
MOST_SETTLED: Final = 1024 * 1024
_INERT: Final = {"content-type": "application/octet-stream", "content-transfer-encoding": "binary", "content-disposition": "attachment"}
_PLAIN: Final = frozenset({"", "7bit", "8bit", "binary"})
_BLANK: Final = re.compile(rb"^[\t ]++(?=\r?\n)", re.MULTILINE)
_BEFORE: Final = re.compile(rb"\A[\r\n]*+(?:This is a multi-?part message in MIME format\.(?:\r?\n)++)?")
"""What big programs write before the first part, which no reader shows: these words and no others, so that nothing can be hidden there."""
_ENDS: Final = re.compile(rb"[\r\n\x00]")


class Part(Message):
    """One part. `is_inert` where a field of its was too long to be read."""

    is_inert = False

    def set_raw(self, name: str, value: str) -> None:
        """Keep a field as the parser found it: the first of each that shapes what is read, within its length."""
        name = name.lower()
        if name not in SHAPES or name in self:
            return
        if len(value) > MOST_PARAMETERS:
            self.is_inert, value = True, _INERT[name]
        super().set_raw(name, value)

    def get_content_type(self) -> str:
        """Return the type the parser goes by: a message that lies with another is octets to it."""
        return _INERT["content-type"] if self.kind.startswith("message/") else self.kind

    @property
    def kind(self) -> str:
        """The type its sender claims."""
        return super().get_content_type()

    def get_boundary(self, failobj: str | None = None) -> str | None:  # type: ignore[override]
        """Return what stands between the parts of a multipart, `failobj` for nothing."""
        found = self.parameter("boundary")
        return failobj if found is None else found.rstrip()

    def parameter(self, name: str, of: str = "content-type") -> str | None:
        """Return a parameter as text, None without it; in a character set of the list of words alone (RFC 2231)."""
        try:
            found = self.get_param(name, None, of)
        except (TypeError, ValueError):  # pieces that have no order
            return None
        if isinstance(found, tuple):
            charset, _, value = found
            return decoded(value.encode("raw-unicode-escape"), charset or "")
        return found

    @property
    def filename(self) -> str | None:
        """The name its sender gave it, None for none."""
        found = self.parameter("filename", "content-disposition")
        return self.parameter("name") if found is None else found

    @property
    def octets(self) -> bytes:
        """Its content, decoded from how it was carried."""
        payload = self.get_payload(decode=True)
        return payload if isinstance(payload, bytes) else b""


def parted(fields: Sequence[tuple[str, bytes]], body: bytes) -> Part:
    """A message taken into its parts. A line of blanks is an empty one, as it is to a signature: else it would hide what follows a head."""
    head = (name.encode("ascii") + b": " + _ENDS.sub(b" ", value) + b"\r\n" for name, value in fields if name in SHAPES)
    return BytesParser(_class=Part).parsebytes(b"".join(head) + b"\r\n" + _BLANK.sub(b"", body))


def is_settled(fields: Sequence[tuple[str, bytes]], body: bytes, signed: Container[str]) -> bool:
    """Whether it is settled how a body is read: by fields that were signed, or by the body alone, for big providers sign no Content-Type.

    A body settles it where it is wholly made of parts between lines that its first and its last line name, the usual words before the
    first aside, and where it is plain text in UTF-8 (ADR 0099).
    """
    whole = parted(fields, b"")
    if whole.get_content_maintype() == "multipart":
        return "content-type" in signed or _is_of_parts(whole, body)
    if "content-disposition" in whole and "content-disposition" not in signed:
        return False
    carried = str(whole.get("content-transfer-encoding", "")).strip().lower()
    if carried not in _PLAIN and "content-transfer-encoding" not in signed:
        return False
    return "content-type" in signed or _is_plain_text(whole, body)


def _is_of_parts(whole: Part, body: bytes) -> bool:
    edge = b"--" + (whole.get_boundary() or "").encode("utf-8", "surrogateescape")
    told = _BEFORE.sub(b"", body, count=1).rstrip()
    first, last = told.partition(b"\n")[0].rstrip(), told[told.rfind(b"\n") + 1 :]
    # A digest takes parts without a type for messages, and would hide a text.
    return whole.kind != "multipart/digest" and edge != b"--" and (first, last) == (edge, edge + b"--")


def _is_plain_text(whole: Part, body: bytes) -> bool:
    if (
        whole.kind != "text/plain"
        or whole.filename is not None
        or len(body) > MOST_SETTLED
        or _BEFORE.sub(b"", body, count=1).startswith(b"--")
    ):
        return False
    if (whole.parameter("charset") or "").strip().lower() not in ("", "us-ascii", "utf-8"):
        return False
    whole.set_payload(body.decode("ascii", "surrogateescape"))
    try:
        whole.octets.decode("utf-8")
    except UnicodeError:
        return False
    return True
