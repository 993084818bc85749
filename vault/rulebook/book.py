"""The rulebook of one moment: every association-wide fact, checked, decoded and ready for a verdict.

Invariant: a book is good for as long as the head of the log names the same entry as the last that changed the law; every deed compares, and
reads the book again inside its own transaction when that number moved. A book read in a deed that changed the law itself is not kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from sqlalchemy import Connection

from keys.cabinet import Cabinet
from vault.access_log.deed import Deed
from vault.errors import Unavailable
from vault.policy.facts import Agreement, Purpose, Rules, Supersession
from vault.policy.pack import Pack
from vault.rulebook import facts
from vault.rulebook.pinned import pinned
from vault.rulebook.shapes import (
    HOME,
    IN_BOOK,
    RESTORATION_KEY,
    AgreementFact,
    AssociationFact,
    ClientFact,
    NoticeFact,
    PurposeFact,
    RecipientFact,
    RecordTypeFact,
    RestorationFact,
    StaffFact,
)

VISITOR = "visitor"


@dataclass(frozen=True, slots=True)
class Book:
    """All association-wide facts at one law number; `rules` are those a verdict takes, by record type, `pack` the pack in force."""

    law: int
    association: AssociationFact
    pack: Pack = field(repr=False)
    purposes: Mapping[str, PurposeFact]
    types: Mapping[str, RecordTypeFact]
    notices: Mapping[str, NoticeFact]
    recipients: Mapping[str, RecipientFact]
    clients: Mapping[str, ClientFact]
    staff: Mapping[str, StaffFact]
    staff_by_name: Mapping[str, str]
    current_notices: Mapping[str, NoticeFact]
    rules: Mapping[str, Rules] = field(repr=False)
    restoration: RestorationFact | None = None
    agreements: Mapping[str, AgreementFact] = field(default_factory=dict)

    def current_notice(self, purpose: str) -> NoticeFact | None:
        """The newest published notice of a purpose, None where there is none."""
        return self.current_notices.get(purpose)


@dataclass(slots=True)
class Books:
    """Keeps the newest committed book of one association in this process."""

    cabinet: Cabinet
    latest: Book | None = None

    def at(self, deed: Deed) -> Book:
        """The book as it stands inside this deed. Raises Unavailable `integrity` where a fact does not hold."""
        book = self.latest
        if book is not None and book.law == deed.law:
            return book
        book = read_book(deed.transaction.connection, self.cabinet, deed.association, deed.law)
        if deed.law == deed.law_at_begin:
            self.latest = book
        return book


def read_book(connection: Connection, cabinet: Cabinet, association: bytes, law: int) -> Book:
    """Read and check every fact of the book. Raises Unavailable `integrity`."""
    found = facts.read_all(connection, cabinet, association, {kind.name for kind in IN_BOOK})
    decoded: dict[str, dict[str, Any]] = {}
    for kind in IN_BOOK:
        decoded[kind.name] = {key: msgspec.json.decode(value, type=kind.shape) for key, value in found.get(kind.name, {}).items()}
    if not decoded["association"]:
        raise Unavailable("integrity")
    own: AssociationFact = next(iter(decoded["association"].values()))
    notices: dict[str, NoticeFact] = decoded["notice"]
    restoration: RestorationFact | None = decoded["restoration"].get(RESTORATION_KEY)
    unconfirmed = restoration is not None and restoration.is_unconfirmed
    return Book(
        law=law,
        association=own,
        pack=pinned(connection, cabinet, association, own),
        purposes=decoded["purpose"],
        types=decoded["record_type"],
        notices=notices,
        recipients=decoded["recipient"],
        clients=decoded["client"],
        staff=decoded["staff"],
        staff_by_name={member.name_hash: key for key, member in decoded["staff"].items()},
        current_notices=_current(notices),
        rules=_rules(own, decoded, notices, unconfirmed=unconfirmed),
        restoration=restoration,
        agreements=decoded["agreement"],
    )


def rules_under(
    book: Book, own: AssociationFact, purposes: Mapping[str, PurposeFact], types: Mapping[str, RecordTypeFact]
) -> dict[str, Rules]:
    """The rules as they would be with other purposes and types in the book."""
    laid = {"purpose": purposes, "record_type": types, "recipient": book.recipients, "agreement": book.agreements}
    return _rules(own, laid, book.notices, unconfirmed=False)


def notice_key(notice: str, version: int) -> str:
    """The name of a notice version in facts and grants."""
    return f"{notice}:{version}"


def _current(notices: Mapping[str, NoticeFact]) -> dict[str, NoticeFact]:
    published = [notice for notice in notices.values() if notice.state == "published"]
    return {notice.purpose: notice for notice in sorted(published, key=_age)}


def _age(notice: NoticeFact) -> tuple[int, int]:
    return notice.published_at or 0, notice.version


def _superseded(notices: Mapping[str, NoticeFact]) -> dict[str, tuple[Supersession, ...]]:
    """For each published notice version the later published ones of the same purpose."""
    published = [notice for notice in notices.values() if notice.state == "published" and notice.published_at is not None]
    found: dict[str, tuple[Supersession, ...]] = {}
    for old in published:
        replaced = notice_key(old.id, old.version)
        later = [
            Supersession(replaced, new.material, new.reconsent_by, new.published_at or 0, notice_key(new.id, new.version))
            for new in published
            if new.purpose == old.purpose and _age(new) > _age(old)
        ]
        if old.ends_at is not None:
            later.append(Supersession(replaced, material=True, reconsent_by=old.ends_at, published_at=old.published_at or 0))
        if later:
            found[replaced] = tuple(later)
    return found


def _rules(
    own: AssociationFact, decoded: Mapping[str, Mapping[str, Any]], notices: Mapping[str, NoticeFact], *, unconfirmed: bool
) -> dict[str, Rules]:
    purposes: Mapping[str, PurposeFact] = decoded["purpose"]
    types: Mapping[str, RecordTypeFact] = decoded["record_type"]
    recipients: Mapping[str, RecipientFact] = decoded["recipient"]
    known = {code: purpose_of(fact) for code, fact in purposes.items()}
    parties = frozenset(code for code, recipient in recipients.items() if recipient.revoked_at is None)
    abroad = frozenset(code for code, recipient in recipients.items() if recipient.country != HOME)
    superseded = _superseded(notices)
    return {
        name: Rules(
            purposes=_of_visitors(known) if name == VISITOR else known,
            recipients=parties,
            field_classes={one.name: one.field_class for one in shape.fields},
            superseded=superseded,
            type=name,
            pack=own.pack,
            law_pack=own.law_pack,
            abroad=abroad,
            unconfirmed=unconfirmed,
            agreements=_agreements(decoded["agreement"], name),
        )
        for name, shape in types.items()
    }


def _agreements(agreements: Mapping[str, AgreementFact], type_: str) -> dict[str, tuple[Agreement, ...]]:
    """The agreements that count and reach records of this type, as a verdict takes them."""
    found: dict[str, tuple[Agreement, ...]] = {}
    for one in agreements.values():
        if one.counts and type_ in one.types:
            taken = Agreement(one.id, frozenset(one.purposes), frozenset(one.classes), one.valid_from, one.valid_to)
            found[one.recipient] = (*found.get(one.recipient, ()), taken)
    return found


def _of_visitors(purposes: Mapping[str, Purpose]) -> dict[str, Purpose]:
    """The purposes as they hold for a website's visitor: her data is used by electronic consent and no other (article 6.5)."""
    return {
        code: replace(purpose, forms=purpose.forms & {"electronic"}) if purpose.action in {"use", "contact"} else purpose
        for code, purpose in purposes.items()
    }


def purpose_of(fact: PurposeFact) -> Purpose:
    """The purpose as a verdict takes it."""
    return msgspec.convert(
        {name: getattr(fact, name) for name in Purpose.__dataclass_fields__ if getattr(fact, name, None) is not None},
        Purpose,
    )
