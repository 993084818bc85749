"""One entry of the access log and its canonical bytes.

Canonical means RFC 8785 made trivial: ASCII keys in order, no floats, no nulls (what is absent is left out), integers below 2^53,
strings of the vault's own making only (random references, codes, field names), so that no personal data can stand in a leaf. `n`,
sixteen random bytes, makes every leaf hash unguessable. Format: docs/spec/entry.md.
"""

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from vault.errors import VaultError

Outcome = Literal["allow", "refuse", "error"]
FORMAT = 1
# The kinds of entry that open what is sealed: only these ever give a receipt.
RELEASES = frozenset(
    {
        *("record.read", "record.asked", "disclose", "attachment.read", "contact", "research"),
        *("breach_report.read", "breach_report.file-read", "incident.read", "incident.exported"),
    }
)
# Of these the ones whose receipt opens no cell but a file: the one that lies in a field, and one that came with a report.
FILE_OF_RECORD = "attachment.read"
FILES_OF_RECORDS = frozenset({FILE_OF_RECORD, "breach_report.file-read"})
# The kinds of entry that open a file whole: their receipt names the file and no field. The paper of an order is shown for the order.
PAPER_OF_ORDER = "order.scan-read"
SHOWINGS = frozenset({"evidence.read", PAPER_OF_ORDER})
MOST_BYTES = 65_535


class EntryRefused(VaultError):
    """An entry that is too large or holds what a leaf may not hold."""

    code = "entry-refused"


@dataclass(frozen=True, slots=True)
class About:
    """A person an entry names and the record it went through; where it wrote her sheet, the version and what exactly was written.

    `sheet` and `event` are the SHA-256 of the sealed bytes: another sheet of the same version, sealed for a deed that failed, is not it.
    """

    subject: bytes
    record: bytes | None = None
    version: int | None = None
    sheet: bytes | None = None
    event: bytes | None = None


@dataclass(frozen=True, slots=True)
class WrittenFact:
    """An association-wide fact an entry wrote: kind, key, version and SHA-256 of its bytes."""

    kind: str
    key: str
    version: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What happened: who (actor, and for whom), to whom, which fields, for what purpose, on what basis, and the answer."""

    kind: str
    outcome: Outcome
    actor: str
    on_behalf: str | None = None
    about: tuple[About, ...] = ()
    fields: tuple[str, ...] = ()
    purpose: str | None = None
    recipient: str | None = None
    basis: str | None = None
    article: str | None = None
    law: str | None = None
    reason: str | None = None
    consents: tuple[str, ...] = ()
    order: str | None = None
    facts: tuple[WrittenFact, ...] = ()
    flags: tuple[str, ...] = ()
    request: str | None = None
    count: int | None = None
    evidence: str | None = None
    agreement: str | None = None
    predicate: str | None = None


# Body key -> attribute, for the plain ones.
_PLAIN = {
    "k": "kind",
    "o": "outcome",
    "a": "actor",
    "b": "on_behalf",
    "p": "purpose",
    "to": "recipient",
    "bs": "basis",
    "ar": "article",
    "lw": "law",
    "rs": "reason",
    "j": "order",
    "q": "request",
    "ct": "count",
    "ev": "evidence",
    "ag": "agreement",
    "pr": "predicate",
}
_LISTS = {"f": "fields", "c": "consents", "fl": "flags"}
_Facts = tuple[tuple[str, str, int, str], ...]


class _Body(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The members of a body, declared in the order of the alphabet, which is the order they are written in; what is empty is left out."""

    a: str
    ag: str = ""
    ar: str = ""
    b: str = ""
    bs: str = ""
    c: tuple[str, ...] = ()
    cl: tuple[str, ...] = ()
    ct: int | None = None
    ev: str = ""
    f: tuple[str, ...] = ()
    fa: _Facts = ()
    fl: tuple[str, ...] = ()
    j: str = ""
    k: str
    l: bool = False  # noqa: E741 - the name it has in the bytes
    lw: str = ""
    n: str
    o: str
    p: str = ""
    pr: str = ""
    q: str = ""
    rs: str = ""
    s: tuple[list[str | int], ...] = ()
    t: int
    to: str = ""
    v: int
    w: str
    ws: int


_encoder = msgspec.json.Encoder()


def body(
    entry: Entry,
    *,
    time: int,
    nonce: bytes,
    writer: str,
    counter: int,
    moves_law: bool = False,
    closes: tuple[str, str, str] | None = None,
) -> bytes:
    """The canonical bytes of an entry: what is hashed and stored. Time in microseconds UTC, nonce of 16 bytes.

    `moves_law` where everybody must look at the association's facts again, `closes` the journal's words for the door it closes.
    """
    encoded = _encoder.encode(
        _Body(
            a=entry.actor,
            ag=entry.agreement or "",
            ar=entry.article or "",
            b=entry.on_behalf or "",
            bs=entry.basis or "",
            c=entry.consents,
            cl=closes or (),
            ct=entry.count,
            ev=entry.evidence or "",
            f=entry.fields,
            fa=tuple((fact.kind, fact.key, fact.version, fact.digest.hex()) for fact in entry.facts) if entry.facts else (),
            fl=entry.flags,
            j=entry.order or "",
            k=entry.kind,
            l=moves_law,
            lw=entry.law or "",
            n=nonce.hex(),
            o=entry.outcome,
            p=entry.purpose or "",
            pr=entry.predicate or "",
            q=entry.request or "",
            rs=entry.reason or "",
            s=tuple([_about(about) for about in entry.about]) if entry.about else (),
            t=time,
            to=entry.recipient or "",
            v=FORMAT,
            w=writer,
            ws=counter,
        ),
    )
    if len(encoded) > MOST_BYTES or not encoded.isascii():
        raise EntryRefused
    return encoded


def _about(about: About) -> list[str | int]:
    found: list[str | int] = [about.subject.hex(), about.record.hex() if about.record else ""]
    if about.version is not None:
        found += [about.version, (about.sheet or b"").hex(), (about.event or b"").hex()]
    return found


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry read back from its bytes, with what the log added: time, writer and counter, whether it moved the law, what it closed."""

    entry: Entry
    time: int
    nonce: bytes
    writer: str
    counter: int
    moves_law: bool = False
    closes: tuple[str, ...] = ()


def parse(encoded: bytes) -> Stored:
    """Read an entry back; raises EntryRefused for bytes that are no entry of this format."""
    try:
        members = msgspec.json.decode(encoded)
        if members["v"] != FORMAT:
            raise EntryRefused
        plain: dict[str, Any] = {name: members[key] for key, name in _PLAIN.items() if key in members}
        lists: dict[str, Any] = {name: tuple(members[key]) for key, name in _LISTS.items() if key in members}
        about = tuple(_read_about(*each) for each in members.get("s", ()))
        facts = tuple(WrittenFact(kind, key, version, bytes.fromhex(digest)) for kind, key, version, digest in members.get("fa", ()))
        return Stored(
            Entry(about=about, facts=facts, **plain, **lists),
            members["t"],
            bytes.fromhex(members["n"]),
            members["w"],
            members["ws"],
            members.get("l", False),
            tuple(members.get("cl", ())),
        )
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise EntryRefused from error


def _read_about(subject: str, record: str, version: int | None = None, sheet: str = "", event: str = "") -> About:
    return About(
        bytes.fromhex(subject),
        bytes.fromhex(record) if record else None,
        version,
        bytes.fromhex(sheet) if sheet else None,
        bytes.fromhex(event) if event else None,
    )


def projection(entry: Entry, *, time: int) -> dict[str, Any]:
    """The columns of an entry beside number, leaf and body, as the body says them."""
    return {
        "time": time,
        "kind": entry.kind,
        "outcome": entry.outcome,
        "actor": entry.actor,
        "on_behalf": entry.on_behalf or None,
        "purpose": entry.purpose or None,
        "basis": entry.basis or None,
        "article": entry.article or None,
        "reason": entry.reason or None,
    }
