"""Whom the association may contact, by which means and for what: one person's verdict, and lists made at the moment they leave (6.4).

Invariants: a list is no stored thing: every page is decided person by person in the transaction of its entries, so that who withdrew before
is on no page after; only who agreed electronically and still agrees is given out, with one means of contact and at most a name; who is left
out is named by an entry with the reason; it goes to the association's own system, or to a processor's under an agreement for that purpose.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from keys.container import Sealed
from vault.access.door import give_out, take_sealed
from vault.access.leaving_out import tell_left_out
from vault.access.verdicts import Asked, Judged, Weighed, enter, judge, weigh
from vault.access_log.deed import Deed, EntryRefusal
from vault.consent.links import Link, link_of
from vault.errors import FieldError, Invalid, NotFound, Unavailable
from vault.policy.contact import CHANNELS
from vault.policy.decide import barred, cites
from vault.policy.facts import INTERNAL, Caller, Channel, Question, Rules
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.subjects import people, tables
from vault.subjects.people import Known

GIVEN: Final = "contact"
ASKED: Final = "contact.asked"
LISTED: Final = "contact.listed"
CONTACT: Final = "contact"
NAME: Final = "full_name"
MOST: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A page of a contact list: of which type of record, for what, by which means, with names or without, after which record."""

    type: str
    purpose: str
    channel: Channel
    named: bool = False
    after: bytes | None = None
    limit: int = 200


@dataclass(frozen=True, slots=True)
class Contact:
    """One person who is on a page: the record, the values of the fields, of which the means of contact is never missing, and her way out.

    `link` is that by which the consent it rests on is withdrawn, without an account or a word typed.
    """

    record: bytes
    values: dict[str, str]
    link: Link


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it was decided, still sealed: `next` is the record the following page begins after, None where this is the last."""

    field: str
    judged: Sequence[Judged]
    sealed: Sequence[Sequence[Sealed]]
    left_out: int
    next: bytes | None
    at: int

    @property
    def valid_until(self) -> int:
        """Until when it may be relied on that everybody on it still agrees, in microseconds UTC."""
        return min([one.verdict.valid_until or self.at for one in self.judged], default=self.at)

    def contacts(self) -> list[Contact]:
        """Who is on the page, with what opens through the door, once; who has no such means of contact is not. Raises `integrity`."""
        given = [(judged, give_out(judged, sealed)) for judged, sealed in zip(self.judged, self.sealed, strict=True)]
        return [Contact(judged.asked.record, values, _way_out(judged)) for judged, values in given if values.get(self.field)]


def may_contact(deed: Deed, errand: Errand, record: bytes, purpose: str, channel: Channel) -> Judged:
    """The verdict on contacting one person by one means for one purpose, as an entry; no value is given. Raises NotFound, Unavailable."""
    errand = errand.still(deed)
    known = people.of_record(deed, record)
    if known.sheet is None:
        raise NotFound
    field = _field(errand.book(deed), known.sheet.records[record.hex()].type, channel)
    return judge(deed, errand, Asked(record, CONTACT, purpose, (field,) if field else (), kind=ASKED, channel=channel), known)


def page(deed: Deed, errand: Errand, wanted: Wanted) -> Page:
    """Decide one page and append its entries; its values open after the commit.

    Raises a refusal with its entry for a list that may be made of nobody, Invalid for a type that is unknown or has no such means of
    contact, Unavailable `integrity` where somebody's rows do not hold.
    """
    errand = errand.still(deed)
    book = errand.book(deed)
    field = _field(book, wanted.type, wanted.channel)
    if not field:
        raise Invalid([FieldError("type", "unknown-type") if wanted.type not in book.types else FieldError("channel", "unknown-field")])
    fields = (field, NAME) if wanted.named else (field,)
    rules = book.rules[wanted.type]
    _require_askable(deed, errand, rules, wanted, fields)
    records = _records(deed, wanted)
    weighed: list[Weighed] = []
    for record, known in (people.of_records(deed, records) if records else {}).items():
        if not isinstance(known, Known):
            # A list that leaves somebody out in silence would be wrong.
            raise Unavailable("integrity")
        weighed.append(weigh(deed, errand, Asked(record, CONTACT, wanted.purpose, fields, kind=GIVEN, channel=wanted.channel), known))
    judged = [enter(deed, errand, one) for one in weighed if one.verdict.allowed]
    left_out = [one for one in weighed if not one.verdict.allowed]
    tell_left_out(deed, errand, left_out, _recipient(errand.asker.asker))
    deed.append(
        errand.entry(kind=LISTED, outcome="allow", purpose=wanted.purpose, fields=tuple(sorted(fields)), count=len(judged), basis="law")
    )
    sealed = take_sealed(deed, book, judged)
    last = records[-1] if len(records) == wanted.limit else None
    return Page(field, judged, [sealed[number] for number in range(len(judged))], len(left_out), last, deed.now)


def _way_out(judged: Judged) -> Link:
    return link_of(judged.appended.deed, bytes.fromhex(judged.verdict.grants[-1]))


def _field(book: Book, type_: str, channel: Channel) -> str:
    """The field of this record type in which the address of a channel lies, "" where there is none."""
    shape = book.types.get(type_)
    return next((one.name for one in shape.fields if one.kind == CHANNELS[channel]), "") if shape is not None else ""


def _require_askable(deed: Deed, errand: Errand, rules: Rules, wanted: Wanted, fields: tuple[str, ...]) -> None:
    """Refuse, once and before anybody is looked at, a list that could be made of nobody at all."""
    caller = errand.asker.asker
    question = Question(CONTACT, wanted.purpose, _recipient(caller), frozenset(fields), deed.now, wanted.channel)
    verdict = barred(question, rules, caller)
    purpose = rules.purposes.get(wanted.purpose)
    if verdict is None and purpose is not None and (purpose.action, purpose.channel, purpose.basis) == (CONTACT, wanted.channel, "consent"):
        return
    reason = verdict.reason if verdict is not None else "ACTION_MISMATCH"
    article, law = cites(question, rules, reason)
    named = wanted.purpose if purpose is not None else None
    known = tuple(sorted(rules.field_classes.keys() & question.fields))
    told = errand.entry(
        kind=LISTED, outcome="refuse", purpose=named, fields=known, basis="none", reason=reason, article=article, law=law or None
    )
    raise EntryRefusal(told)


def _recipient(caller: Caller) -> str:
    """Whom the question is about: a processor contacts in the association's name, anybody else outside would contact in its own."""
    return INTERNAL if caller.processes else caller.party


def _records(deed: Deed, wanted: Wanted) -> list[bytes]:
    """The records of the page, in the order of their random ids: nobody is told apart by her place."""
    place = tables.record
    query = select(place.c.record).where(place.c.association_id == deed.association, place.c.type == wanted.type)
    if wanted.after is not None:
        query = query.where(place.c.record > wanted.after)
    return [bytes(one) for one in deed.transaction.connection.execute(query.order_by(place.c.record).limit(wanted.limit)).scalars()]
