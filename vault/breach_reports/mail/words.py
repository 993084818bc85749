"""The words of a message, from whatever bytes they came in: character sets, encoded words, addresses, HTML shown as text.

Invariant: every function answers whatever it is given; character sets are those of a list: Python knows some that are slow, or no text.
"""

import codecs
import re
from email.errors import HeaderParseError
from email.header import decode_header
from html import unescape
from typing import Final

import idna

MOST_HEADER_BYTES: Final = 16_384
MOST_ENCODED_BYTES: Final = 4096
"""Bytes of a header field whose encoded words are looked for, for which Python takes quadratic time; 500 Arabic letters take 3,400."""
MOST_HTML: Final = 512 * 1024
_TEXTUAL: Final = re.compile(
    r"utf-8|ascii|cp125\d|iso8859-\d{1,2}|mac-?[a-z0-9]+|koi8-[rut]|gb2312|gbk|gb18030|big5|shift_jis|euc_(?:jp|kr)|utf-16(?:-[bl]e)?|cp720|cp864"
)
_ALIAS: Final = {
    "x-windows-1256": "cp1256",
    "x-cp1256": "cp1256",
    "windows1256": "cp1256",
    "iso-8859-6-i": "iso8859-6",
    "x-mac-arabic": "mac-arabic",
}
_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
"""Controls, and the marks that make letters run the other way than they are written: a name of a file must not lie."""
_TAG: Final = re.compile(r"<(/?)([A-Za-z!?][A-Za-z0-9]*+)[^<>]*+>")
"""What it took it does not give back (`*+`): else one tag without an end takes quadratic time."""
_BREAKS: Final = frozenset({"p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "blockquote", "table", "ul", "ol", "hr"})
_SILENT: Final = frozenset({"script", "style", "head", "title", "template", "noscript"})


def decoded(content: bytes, charset: str) -> str:
    """The text of bytes in the character set they claim; where they are not in it, UTF-8 if they are that, else windows-1256."""
    claimed = _known(charset)
    for name in (claimed, "utf-8"):
        if name:
            try:
                return content.decode(name)
            except UnicodeError:
                continue
    # A text cut in the middle of a letter is UTF-8 all the same.
    lenient = content.decode("utf-8", "replace")
    if lenient.count("\ufffd") * 20 <= len(lenient):
        return lenient
    return content.decode(claimed if claimed not in ("", "ascii", "utf-8") else "cp1256", "replace")


def header_text(value: bytes, *, encoded: bool = True) -> str:
    """The text of a header field; with `encoded` its encoded words (RFC 2047) are read, whatever is wrong with them."""
    plain = decoded(value[:MOST_HEADER_BYTES], "")
    if not encoded or "=?" not in plain:
        return plain
    try:
        pieces = decode_header(plain[:MOST_ENCODED_BYTES])
    except (HeaderParseError, ValueError, LookupError):
        return plain
    return "".join(decoded(piece, charset or "") if isinstance(piece, bytes) else piece for piece, charset in pieces) or plain


def shown(text: str) -> str:
    """The text as it may be shown: lines of one kind, no unseen control, no half of a letter."""
    text = _UNSEEN.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
    return text.encode("utf-8", "replace").decode()


def address_of(text: str, form: re.Pattern[str]) -> str:
    """A mail address with its domain in ASCII and small letters (IDNA 2008, UTS 46), "" for what is none.

    What holds a mark that turns letters round is none: drawn, it would be another than it is.
    """
    if form.fullmatch(text) is None or _UNSEEN.search(text) is not None:
        return ""
    local, _, domain = text.rpartition("@")
    found = ascii_domain(domain)
    return f"{local}@{found}" if found else ""


def ascii_domain(domain: str) -> str:
    """A domain in ASCII and small letters, "" for what is none."""
    try:
        return idna.encode(domain.rstrip("."), uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        # Names of mail hosts may hold what IDNA does not take, such as an underline.
        return domain.lower() if re.fullmatch(r"[A-Za-z0-9_.-]{1,253}", domain) else ""


def text_of_html(markup: str) -> str:
    """What is written in HTML, as text: nothing in it is run, fetched or believed, and it is gone through once."""
    pieces: list[str] = []
    silent, at = "", 0
    markup = _without_comments(markup[:MOST_HTML])
    for tag in _TAG.finditer(markup):
        if not silent:
            pieces.append(markup[at : tag.start()])
        at, name = tag.end(), tag[2].lower()
        if name in _SILENT and not silent and not tag[1]:
            silent = name
        elif tag[1] and name == silent:
            silent = ""
        elif name in _BREAKS:
            pieces.append("\n")
    if not silent:
        pieces.append(markup[at:])
    lines = (" ".join(line.split()) for line in _unescaped("".join(pieces)).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _unescaped(text: str) -> str:
    try:
        return unescape(text)
    except ValueError:  # the number of a letter with more digits than Python reads
        return text


def _without_comments(markup: str) -> str:
    pieces: list[str] = []
    at = 0
    while (begin := markup.find("<!--", at)) >= 0 and (end := markup.find("-->", begin + 4)) >= 0:
        pieces.append(markup[at:begin])
        at = end + 3
    return "".join((*pieces, markup[at:]))


def _known(charset: str) -> str:
    name = charset.strip().strip("\"'").lower()[:40]
    try:
        found = codecs.lookup(_ALIAS.get(name, name)).name
    except (LookupError, ValueError):
        return ""
    return found if _TEXTUAL.fullmatch(found) else ""
