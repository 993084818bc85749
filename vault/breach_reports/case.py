"""One report inside a deed: its fact, checked against the log, and the parts written with it.

Invariant: fact, index row, parts and entry change in one transaction, and the entry names the fact whose bytes name every part.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from keys.case_file import Part, case_key, seal_part
from keys.errors import Unopenable
from keys.keyring import DataKey
from vault.access_log.deed import Deed
from vault.access_log.entry import About, WrittenFact
from vault.breach_reports import tables
from vault.breach_reports.files import MOST_OF_CASE, Bringing
from vault.breach_reports.shapes import BREACH_REPORT, FILE, PartFact, ReportFact
from vault.errors import NotFound, TooMany, Unavailable
from vault.rulebook import facts

MOST_PARTS = 200
"""Texts of one report; the fact names each, and the log takes the fact's digest with every change."""
KEPT_FOR_DEEDS: Final = 32
"""Places beyond these for the reasons of deeds and for notices: free notes leave them room."""
KEPT_EACH: Final = 8
"""So many of them one hand takes, so that nobody alone fills these up either."""
KEPT_FREE: Final = 64
"""Places beyond `MOST_PARTS`, so beyond those of deeds as well, for the reasons of holds and late filings and for a mail's check: nobody
fills a case so that it cannot be held."""


@dataclass(frozen=True, slots=True)
class Case:
    """A report as the log knows it, at this version of its fact."""

    id: bytes
    fact: ReportFact
    version: int

    @property
    def about(self) -> tuple[About, ...]:
        """How an entry names the case: by its id, in the place of subject and record."""
        return (About(self.id, self.id),)


@dataclass(frozen=True, slots=True)
class Text:
    """A text to be sealed as a part: its kind, who wrote it, its content as JSON bytes.

    `beyond` is how many places beyond `MOST_PARTS` it may take in a case that is full.
    """

    kind: str
    by: str
    content: bytes
    beyond: int = 0


def load(deed: Deed, report: bytes) -> Case:
    """The report with this id. Raises NotFound, also where it was destroyed, Unavailable `integrity`."""
    fact = facts.read(deed, BREACH_REPORT, report.hex())
    if fact is None or fact.gone:
        raise NotFound
    return Case(report, fact, facts.version(deed, BREACH_REPORT, report.hex()))


def begin(deed: Deed, fact: ReportFact, key: DataKey, wrapped: bytes, texts: Sequence[Text]) -> WrittenFact:
    """Write a new report with its first texts; the caller puts what is returned into the entry of the same deed."""
    report = bytes.fromhex(fact.id)
    tables.add(deed, report, fact.reference, state=fact.state, receipt_hash=bytes.fromhex(fact.receipt), wrapped=wrapped)
    return facts.write(deed, BREACH_REPORT, fact.id, _with(deed, fact, key, texts))


def change(deed: Deed, case: Case, fact: ReportFact, *texts: Text) -> WrittenFact:
    """Write the report's next version, with texts that came with it. Raises TooMany beyond `MOST_PARTS`, Unavailable `integrity`."""
    if texts:
        require_room(fact.parts, texts)
        fact = _with(deed, fact, key_of(deed, case.id), texts)
    if fact.state != case.fact.state:
        tables.move(deed, case.id, fact.state)
    return facts.write(deed, BREACH_REPORT, fact.id, fact)


def require_room(parts: Sequence[PartFact], texts: Sequence[Text]) -> None:
    """Refuse with TooMany what a case has no room for."""
    if len(parts) + len(texts) > MOST_PARTS + min(text.beyond for text in texts):
        raise TooMany(3600)


def kept_for(parts: Sequence[PartFact], by: str) -> int:
    """How many places beyond `MOST_PARTS` the reason of a deed, or a notice, by this hand may take: none once it took its share."""
    return KEPT_FOR_DEEDS if sum(part.by == by for part in parts[MOST_PARTS:]) < KEPT_EACH else 0


def sealed_parts(deed: Deed, case: Case, kinds: Sequence[str]) -> list[Part]:
    """The parts of these kinds as the fact names them, in order. Raises Unavailable `integrity` where one is missing or another."""
    wanted = {number: part for number, part in enumerate(case.fact.parts) if part.kind in kinds}
    stored = tables.parts(deed, case.id, [*wanted])
    if any(number not in stored or _sha256(stored[number]) != part.sha256 for number, part in wanted.items()):
        raise Unavailable("integrity")
    return [Part(number, part.kind, stored[number]) for number, part in wanted.items()]


def with_files(deed: Deed, fact: ReportFact, brought: Bringing | None, by: str, part: int) -> ReportFact:
    """The fact with the files that came with the text of this number. Raises TooMany where there are too many, Unavailable `integrity`."""
    if brought is None or not brought.arrived:
        return fact
    files = (*fact.files, *brought.finish(deed, by, part))
    if len(files) > MOST_OF_CASE:
        raise TooMany(3600)
    return msgspec.structs.replace(fact, files=files)


def names(brought: Bringing | None, by: str) -> list[Text]:
    """The texts that keep the files' names as they were sent."""
    told = [] if brought is None else brought.names()
    return [Text(FILE, by, msgspec.json.encode({"file": file, "name": name})) for file, name in told if name]


def _with(deed: Deed, fact: ReportFact, key: DataKey, texts: Sequence[Text]) -> ReportFact:
    report, told = bytes.fromhex(fact.id), list(fact.parts)
    for text in texts:
        part = seal_part(deed.cabinet.keys, key, report, text.content, number=len(told), kind=text.kind)
        tables.add_part(deed, report, part.number, part.sealed)
        told.append(PartFact(kind=text.kind, by=text.by, at=deed.now, sha256=_sha256(part.sealed)))
    return msgspec.structs.replace(fact, parts=tuple(told))


def key_of(deed: Deed, report: bytes) -> DataKey:
    """The key of a report, to seal something with that is on its way to it. Raises Unavailable `integrity`."""
    wrapped = tables.wrapped_key(deed, report)
    if wrapped is None:
        raise Unavailable("integrity")
    try:
        return case_key(deed.cabinet.keys, report, wrapped)
    except Unopenable:
        raise Unavailable("integrity") from None


def _sha256(sealed: bytes) -> str:
    return hashlib.sha256(sealed).hexdigest()
