"""Makes receipts: what a consent was, in which words it was asked for and what became of it.

Invariant: a receipt is an entry of the log; it tells states and times and permits nothing.
"""

from collections.abc import Iterator, Mapping

from vault.access_log.deed import Deed
from vault.access_log.entry import About
from vault.consent import history, receipt
from vault.consent.history import Told
from vault.consent.receipt import Happening, Json, Matter
from vault.consent.within import require_case
from vault.errors import Unavailable
from vault.policy.events import Given, Stopped
from vault.policy.facts import Person
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.shapes import FieldFact
from vault.subjects import people
from vault.subjects.people import Known
from vault.subjects.sheet import Happened, policy_event


def document(deed: Deed, errand: Errand, consent: bytes, names: Mapping[str, str]) -> Json:
    """The receipt of a consent as it stands now; `names` are the association's by language. Raises NotFound, Unavailable `integrity`."""
    errand = errand.still(deed)
    known, record = people.of_consent(deed, consent)
    require_case(deed, errand, known, record, "consent.receipt")
    happened = history.happened_to(deed, known)
    told = history.one(errand, happened, consent, deed.now)
    made = of(deed, errand, known, record, told=told, happened=happened, names=names)
    about, named = (About(known.subject, record),), (told.grant.id,)
    deed.append(errand.entry(kind="consent.receipt", outcome="allow", about=about, purpose=told.purpose, basis="law", consents=named))
    return made


def of(deed: Deed, errand: Errand, known: Known, record: bytes, *, told: Told, happened: list[Happened], names: Mapping[str, str]) -> Json:
    """The receipt of a consent that was told, through a record of this person; it leaves no entry. Raises Unavailable `integrity`."""
    book, sheet = errand.book(deed), known.sheet
    notice, state = book.notices.get(told.grant.notice), sheet.records.get(record.hex()) if sheet else None
    if sheet is None or state is None or notice is None:
        raise Unavailable("integrity")
    return receipt.document(
        Matter(
            association=errand.asker.association.code,
            names=names,
            told=told,
            subject=known.subject,
            record_type=state.type,
            is_minor=_was_minor(sheet.person, told.grant.indicated_at),
            happened=list(_events(told, happened, deed.now)),
            purpose=book.purposes[told.purpose],
            notice=notice,
            language=told.language,
            fields=_fields(book, state.type),
            pack=book.pack,
        )
    )


def _events(told: Told, happened: list[Happened], now: int) -> Iterator[Happening]:
    """How this consent was given, what ended it, and the end of its time where that has come."""
    for event in map(policy_event, happened):
        if isinstance(event, Given) and event.grant.id == told.grant.id:
            yield receipt.given(event)
        elif isinstance(event, Stopped) and _ends(event, told):
            yield receipt.stopped(event)
    until = told.grant.expires_at
    if told.stopped_at is None and until is not None and until <= now:
        yield Happening("dpv:ConsentExpired", until, until, told.grant.by)


def _ends(event: Stopped, told: Told) -> bool:
    same = (event.purpose, event.recipient) == (told.purpose, told.recipient)
    return same and event.stop.recorded_at == told.stopped_at


def _fields(book: Book, own: str) -> dict[str, FieldFact]:
    """Every declared field by name, as the person's own record type has it where two types have one name."""
    found = {field.name: field for shape in book.types.values() for field in shape.fields}
    return found | {field.name: field for field in book.types[own].fields}


def _was_minor(person: Person, at: int) -> bool:
    return person.full_capacity_from is not None and at < person.full_capacity_from
