"""Lets a person in to her own page: by a link and a code, both handed to her by the association, and for a quarter of an hour.

Invariants: the code counts once, for three days and five tries; a wrong try is an entry and stays counted; what is used up or ended is in
the journal before it is answered, so that no restore brings it back; of code and session nothing is kept but keyed hashes, and neither
stands in an address; whoever may no longer speak for the person is let in no more (regulation 13), and nobody by what a key or an account
made that has ended since.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from vault.access import assignments
from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import About, WrittenFact
from vault.consent import link_token
from vault.consent.challenges import FORM
from vault.consent.within import require_case
from vault.errors import FieldError, Invalid, NotFound
from vault.identity.callers import client_stands, is_engaged
from vault.policy.facts import SELF, Person
from vault.policy.signers import guardian_of, may_speak
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import Fact
from vault.storage.journal import Closing, Line
from vault.subjects import people
from vault.subjects.people import Known
from vault.web.times import fold_digits

ACTOR: Final = "person"
ISSUED: Final = "person-page.issued"
OPENED: Final = "person-page.opened"
DIGITS: Final = 8
TRIES: Final = 5
WAITS: Final = 3 * 24 * 3_600_000_000
LASTS: Final = 15 * 60 * 1_000_000
JOURNAL: Final = "person-page"
_LEFT: Final = "left"
Draw = Callable[[], str]


class PersonPageFact(Fact, frozen=True):
    """One way in: to whose page, through which record, for whom ("self" or a guardian's id); hashes of code and session, in hexadecimal.

    `ends_at` is until when the code, and once it was given the session, counts; times in microseconds UTC. `issued_by` is whose hands made
    it, the client and who sat at its screen; empty in those made before that was kept.
    """

    id: str
    subject: str
    record: str
    given_to: str
    code: str
    ends_at: int
    tries: int = TRIES
    session: str = ""
    issued_by: tuple[str, ...] = ()


PERSON_PAGES: Kind[PersonPageFact] = Kind("person-page", PersonPageFact, in_book=False)


@dataclass(frozen=True, slots=True)
class Issued:
    """A way in as it leaves: the link's token, the code, which is told once, and until when both count (microseconds UTC)."""

    token: str
    code: str
    until: int


def drawn() -> str:
    """A fresh code: eight digits, each as likely as any other."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


def issue(deed: Deed, errand: Errand, record: bytes, given_to: str, draw: Draw = drawn) -> Issued:
    """Make a way in to the page of the record's person, for herself or a guardian of hers who may speak for her.

    Raises NotFound, Invalid `unknown-guardian`, a refusal where the asker does not reach the record, and to the key of a public form:
    whoever took that from where strangers come by could look as the person. What a caseworker opened in an emergency she hands to nobody,
    and this way in would outlast her hour.
    """
    errand = errand.still(deed)
    known = people.of_record(deed, record)
    require_case(deed, errand, known, record, ISSUED)
    errand.require_assigned(deed, assignments.kept_until(deed, errand, known), ISSUED, (About(known.subject, record),))
    if FORM in errand.asker.scopes:
        article, about = f"{errand.book(deed).association.pack}:1", (About(known.subject, record),)
        raise EntryRefusal(errand.entry(kind=ISSUED, outcome="refuse", reason="OUT_OF_SCOPE", article=article, about=about))
    if not _speaks(known, given_to, deed.now):
        raise Invalid([FieldError("given_to", "unknown-guardian")])
    id_, code = os.urandom(16), draw()
    until = (deed.now + WAITS) // link_token.SECOND * link_token.SECOND
    made = PersonPageFact(
        id=id_.hex(),
        subject=known.subject.hex(),
        record=record.hex(),
        given_to=given_to,
        code=_code(deed, id_.hex(), code),
        ends_at=until,
        issued_by=tuple(hand for hand in (errand.asker.ref, errand.asker.on_behalf) if hand is not None),
    )
    written = facts.write(deed, PERSON_PAGES, made.id, made)
    deed.append(errand.entry(kind=ISSUED, outcome="allow", about=(About(known.subject, record),), basis="law", facts=(written,)))
    # Who gives the code in its last minute has her quarter of an hour all the same.
    return Issued(link_token.write(deed.cabinet, deed.association, "person", id_, until + LASTS), code, until)


def waits(deed: Deed, errand: Errand, token: str) -> bool:
    """Whether the code of a link can still be given. Raises NotFound for whatever is no link, and past its days."""
    return _waits(deed, _found(deed, errand, token))


def enter(deed: Deed, errand: Errand, token: str, code: str) -> str:
    """The session that the right code opens, told once; "" where the code is not the one, or counts no more. Raises as `waits`.

    A wrong code is counted in a deed that stands, and an entry.
    """
    found = _found(deed, errand, token)
    if not _waits(deed, found):
        return ""
    if not deed.cabinet.pepper.matches("person-code", _said(found.id, code), bytes.fromhex(found.code)):
        _tell(deed, errand, msgspec.structs.replace(found, tries=found.tries - 1), wrong=True)
        return ""
    session = secrets.token_urlsafe(32)
    opened = msgspec.structs.replace(found, session=deed.cabinet.pepper.hash("person-session", session).hex(), ends_at=deed.now + LASTS)
    _tell(deed, errand, opened, wrong=False)
    return session


def entered(deed: Deed, errand: Errand, token: str, session: str) -> tuple[PersonPageFact, Known] | None:
    """The way in that this session came by, and the person; None for a session there is none of or that ended. Raises as `waits`."""
    found = _found(deed, errand, token)
    open_ = found.session and deed.now < found.ends_at
    if not open_ or not deed.cabinet.pepper.matches("person-session", session, bytes.fromhex(found.session)):
        return None
    return found, _person(deed, found)


def leave(deed: Deed, errand: Errand, found: PersonPageFact) -> None:
    """End the session."""
    written = _write(deed, msgspec.structs.replace(found, ends_at=deed.now))
    about = (About(bytes.fromhex(found.subject), bytes.fromhex(found.record)),)
    told = errand.entry(kind="person-page.left", outcome="allow", about=about, basis="law", facts=(written,))
    deed.append(told, closes=Closing(JOURNAL, found.id, _LEFT))


def end_again(deed: Deed, line: Line) -> list[WrittenFact]:
    """The fact of a way in that the journal says was used up, tried or left, where the stored one says more is open; none else."""
    found = facts.read(deed, PERSON_PAGES, line.closing.reference)
    if found is None:
        return []
    if line.closing.detail == _LEFT:
        after = msgspec.structs.replace(found, ends_at=min(found.ends_at, line.time))
    else:
        # Whoever is inside came by the very code that is used up.
        tries = found.tries if found.session else min(found.tries, int(line.closing.detail))
        after = msgspec.structs.replace(found, tries=tries)
    return [_write(deed, after)] if after != found else []


def _found(deed: Deed, errand: Errand, token: str) -> PersonPageFact:
    id_ = link_token.read(deed.cabinet, deed.association, "person", token, deed.now)
    found = facts.read(deed, PERSON_PAGES, id_.hex())
    if found is None:
        raise NotFound
    # Who took a key could look as anybody until each of its codes ran out: they end with the key, and with the account.
    book = errand.book(deed)
    if not all(_stands(book, hand, deed.now) for hand in found.issued_by):
        raise NotFound
    _person(deed, found)
    return found


def _stands(book: Book, hand: str, now: int) -> bool:
    kind, _, id_ = hand.partition(":")
    if kind == "client":
        return any(client_stands(book, one, now) for one in book.clients.values() if one.id == id_)
    member = book.staff.get(id_)
    return member is not None and is_engaged(member, now)


def _person(deed: Deed, found: PersonPageFact) -> Known:
    known = people.of_subject(deed, bytes.fromhex(found.subject))
    if not _speaks(known, found.given_to, deed.now):
        raise NotFound
    return known


def _speaks(known: Known, given_to: str, now: int) -> bool:
    person = known.sheet.person if known.sheet is not None else Person()
    return (given_to == SELF or guardian_of(person, given_to) is not None) and may_speak(person, given_to, now)


def _waits(deed: Deed, found: PersonPageFact) -> bool:
    return not found.session and found.tries > 0 and deed.now < found.ends_at


def _tell(deed: Deed, errand: Errand, found: PersonPageFact, *, wrong: bool) -> None:
    """Write the way in as it is after a code was said, with its entry and its line: a code is used up once it let somebody in."""
    about = (About(bytes.fromhex(found.subject), bytes.fromhex(found.record)),)
    told = {"outcome": "refuse", "reason": "CODE_WRONG"} if wrong else {"outcome": "allow", "basis": "law"}
    article = f"{errand.book(deed).association.pack}:7"
    closing = Closing(JOURNAL, found.id, str(0 if found.session else found.tries))
    deed.append(errand.entry(kind=OPENED, article=article, about=about, facts=(_write(deed, found),), **told), closes=closing)


def _write(deed: Deed, found: PersonPageFact) -> WrittenFact:
    return facts.write(deed, PERSON_PAGES, found.id, found)


def _said(id_: str, code: str) -> str:
    return f"{id_} {fold_digits(code.strip())}"


def _code(deed: Deed, id_: str, code: str) -> str:
    return deed.cabinet.pepper.hash("person-code", _said(id_, code)).hex()
