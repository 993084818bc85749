"""Certifies what an erasure destroys: told while all of it is still there, of every sheet of the person (ADR 0082).

Invariants: the certificate names the entry that is appended next; it holds random references, classes, times and rules, never a value.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, exists, select

from keys.errors import Unopenable
from keys.keyring import epoch_of
from vault.access.certificate import Certificate, ErasureFact, Kept
from vault.access.copies import DAYS, day_of
from vault.access.disclosures import DECIDED
from vault.access.given import given_to
from vault.access.tables import order_record
from vault.access_log import tables as log_tables
from vault.access_log.deed import Deed
from vault.attachments import scans
from vault.errors import NotFound, Unavailable
from vault.identity.second_factor import Approval
from vault.rulebook.asker import Errand
from vault.rulebook.requests import OPENED
from vault.subjects import people
from vault.subjects.people import Known
from vault.subjects.sheet import Sheet

EVIDENCE: Final = "evidence"
"""The class of scans, as the certificate names it."""


@dataclass(frozen=True, slots=True)
class Matter:
    """One erasure that two people have agreed on, inside its deed: `by` whom it is settled, and when in microseconds UTC.

    `others`: the person as her other sheets have her.
    """

    deed: Deed
    errand: Errand
    asked: ErasureFact
    known: Known
    approval: Approval
    by: str
    at: int
    others: tuple[Known, ...] = ()

    @property
    def sheets(self) -> list[tuple[Known, Sheet]]:
        """Every sheet of hers that goes, the one it was asked through first. Raises NotFound for somebody without a sheet."""
        return [(one, sheet_of(one)) for one in (self.known, *self.others)]


def sheet_of(known: Known) -> Sheet:
    """What is known about her. Raises NotFound for somebody without a sheet."""
    if known.sheet is None:
        raise NotFound
    return known.sheet


def certify_person(matter: Matter) -> Certificate:
    """Forget a person's scans and certify her as a whole, all her sheets, while her rows are there. Raises Unavailable `integrity`."""
    deed, book = matter.deed, matter.errand.book(matter.deed)
    types = {state.type for _, sheet in matter.sheets for state in sheet.records.values()}
    classes = {one.field_class for name in types for one in book.types[name].fields}
    subjects = [one.subject for one, _ in matter.sheets]
    keys = [wrapped for subject in subjects for _, _, wrapped in people.keys_of(deed, subject)]
    hers = [wrapped for subject in subjects for wrapped in scans.keys_of(deed, subject)]
    # Told before the erasure's own entry, which is the last about her and the one that the certificate names.
    for subject in subjects:
        scans.forget_subject(deed, subject, matter.errand.entry(kind=scans.PURGED, outcome="allow", flags=matter.approval.flags))
    return certify(matter, {*classes, *([EVIDENCE] if hers else [])}, [*keys, *hers])


def certify(matter: Matter, classes: Iterable[str], keys: Iterable[bytes]) -> Certificate:
    """What is told of the erasure; its entry is the next that is appended."""
    deed, asked, epochs = matter.deed, matter.asked, _epochs(keys)
    own = matter.errand.book(deed).association
    kept = [Kept(what="access_log", rule=f"{own.pack}:7"), Kept(what="erasure_request", rule=f"{own.law_pack}:18")]
    if asked.classes:
        kept.append(Kept(what="other_classes", rule=f"{own.pack}:6.1"))
    subjects = [one.subject for one, _ in matter.sheets]
    records = [record for _, sheet in matter.sheets for record in sorted(sheet.records)]
    if _named_by_order(deed, records):
        kept.append(Kept(what="orders", rule=f"{own.pack}:4"))
    if any(_told_of(deed, subject, DECIDED) for subject in subjects):
        kept.append(Kept(what="disclosures", rule=f"{own.pack}:7"))
    if any(_told_of(deed, subject, OPENED) for subject in subjects):
        kept.append(Kept(what="requests", rule=f"{own.law_pack}:4"))
    return Certificate(
        erasure=asked.id,
        whole=not asked.classes,
        subject=matter.known.subject.hex(),
        others=tuple(subject.hex() for subject in subjects[1:]),
        records=tuple(records),
        classes=tuple(sorted(classes)),
        requested_by=asked.requested_by,
        asked_by=asked.asked_by,
        asked_at=asked.asked_at,
        approved_by=matter.by,
        approved_at=matter.at,
        kept=tuple(kept),
        recipients=tuple(told for subject in subjects for told in given_to(deed, matter.errand.book(deed), subject)),
        epochs=epochs,
        minimum_epoch=deed.cabinet.keys.minimum_epoch,
        index=deed.size,
        due=day_of(matter.at, DAYS) if epochs else "",
    )


def _epochs(keys: Iterable[bytes]) -> tuple[int, ...]:
    """The epochs these keys were wrapped under. Raises Unavailable `integrity` for a row that holds no wrapped key."""
    try:
        return tuple(sorted({epoch_of(wrapped) for wrapped in keys}))
    except Unopenable as error:
        raise Unavailable("integrity") from error


def _named_by_order(deed: Deed, named: Iterable[str]) -> bool:
    """Whether an order of an authority names a record of hers: the order stays, and opens nothing any more."""
    records = [bytes.fromhex(record) for record in named]
    there = exists().where(order_record.c.association_id == deed.association, order_record.c.record.in_(records))
    return bool(deed.transaction.connection.execute(select(there)).scalar())


def _told_of(deed: Deed, subject: bytes, kind: str) -> bool:
    """Whether the log has an entry of this kind about her.

    A disclosure that was asked for tells who was given or refused what; that she asked something about her data, and what became of it, is
    kept as well (implementing regulation 3).
    """
    place, about = log_tables.entry, log_tables.subject
    same = and_(about.c.association_id == place.c.association_id, about.c.number == place.c.number)
    there = exists().where(same, about.c.association_id == deed.association, about.c.subject == subject, place.c.kind == kind)
    return bool(deed.transaction.connection.execute(select(there)).scalar())
