"""Drafts notices and publishes them: written by one person, in force once another has approved that very wording (promise 9).

Invariants: a version never changes after it was drafted, so what is approved is what was seen; a version that does not say the eleven parts
in Arabic and the text in both languages is not even a draft; a material change ends what was agreed to before on a day that is told, and is
in the journal before it is answered.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from vault.access_log.deed import Deed
from vault.access_log.entry import Entry, WrittenFact
from vault.consent.wording import Wording, require
from vault.errors import Conflict, FieldError, Invalid, NotFound
from vault.policy.facts import INTERNAL
from vault.rulebook import facts
from vault.rulebook.approval_day import approval_day
from vault.rulebook.approving import Second
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book, notice_key
from vault.rulebook.shapes import NOTICE, NoticeFact, PurposeFact
from vault.storage.idempotency import Once, made_before, remember
from vault.storage.journal import Closing

CREATED: Final = 201
DRAFTED: Final = "notice.drafted"
PUBLISHED: Final = "notice.published"
LONGEST_NAME: Final = 200
MOST_VERSIONS: Final = 999
_ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A notice as somebody drafts it; what is None is as the purpose and the notice before have it. Times in microseconds UTC."""

    wording: Wording
    approved_by: str
    approved_on: str
    fields: tuple[str, ...] | None = None
    recipients: tuple[str, ...] | None = None
    material: bool = False
    reconsent_by: int | None = None


def draft(deed: Deed, errand: Errand, purpose: str, wanted: Wanted, once: Once | None) -> NoticeFact:
    """Write down the first version of a notice; nobody is shown it yet. A repeat of the same request gives the one it made.

    Raises Invalid by member, `notice-incomplete`; Conflict `idempotency-mismatch`.
    """
    errand = errand.still(deed)
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        return of(errand.book(deed), made.hex(), 1)
    identifier = os.urandom(_ID_BYTES)
    told = _drafted(deed, errand, (identifier.hex(), 1), purpose, wanted)
    if once is not None:
        remember(deed.transaction, deed.association, once, identifier, CREATED)
    return told


def draft_version(deed: Deed, errand: Errand, notice: bytes, wanted: Wanted, once: Once | None) -> NoticeFact:
    """Write down the next version of a notice. Raises as `draft`; NotFound, Conflict where it has as many versions as there can be."""
    errand = errand.still(deed)
    book, name = errand.book(deed), notice.hex()
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        return of(book, name, int.from_bytes(made, "big"))
    known = [one for one in book.notices.values() if one.id == name]
    if not known:
        raise NotFound
    number = max(one.version for one in known) + 1
    if number > MOST_VERSIONS:
        raise Conflict
    told = _drafted(deed, errand, (name, number), known[0].purpose, wanted)
    if once is not None:
        remember(deed.transaction, deed.association, once, number.to_bytes(_ID_BYTES, "big"), CREATED)
    return told


def publish(deed: Deed, second: Second, notice: bytes, version: int) -> NoticeFact:
    """Publish a version that another person drafted: from this answer on it is the purpose's notice.

    Raises NotFound, Conflict where it is published or a later version is, `reconsent-past` where the day for asking anew is over, refusals
    `same-person` and `step-up-required`, TooMany.
    """
    second = second.still(deed)
    book = second.errand.book(deed)
    found = of(book, notice.hex(), version)
    later = any(one.id == found.id and one.version > version and one.state == "published" for one in book.notices.values())
    if found.state == "published" or later:
        raise Conflict
    if found.reconsent_by is not None and found.reconsent_by <= deed.now:
        raise Conflict("reconsent-past")
    approval = second.approve(deed, found.drafted_by, PUBLISHED)
    # Never at the moment of another one: the newest is the one people are shown.
    newest = max([0, *(one.published_at or 0 for one in book.notices.values() if one.purpose == found.purpose)])
    at = max(deed.now, newest + 1)
    published = msgspec.structs.replace(found, state="published", published_at=at, published_by=second.asker.ref)
    written = (*approval.facts, facts.write(deed, NOTICE, notice_key(found.id, version), published))
    told = replace(_entry(second.errand, book, PUBLISHED, published, written), flags=approval.flags)
    ends = str(published.reconsent_by) if published.reconsent_by is not None else ""
    replaces = published.material and newest > 0
    deed.append(told, changes_law=True, closes=Closing("notice", published.purpose, ends) if replaces else None)
    return published


def shown(deed: Deed, errand: Errand, notice: bytes, version: int) -> NoticeFact:
    """One version as it stands. Raises NotFound."""
    return of(errand.still(deed).book(deed), notice.hex(), version)


def listed(book: Book) -> list[NoticeFact]:
    """Every version of every notice, by purpose, the newest first."""
    return sorted(book.notices.values(), key=lambda one: (one.purpose, -(one.published_at or one.drafted_at), one.id, -one.version))


def of(book: Book, notice: str, version: int) -> NoticeFact:
    """The version of this notice. Raises NotFound."""
    found = book.notices.get(notice_key(notice, version))
    if found is None:
        raise NotFound
    return found


def _drafted(deed: Deed, errand: Errand, which: tuple[str, int], purpose: str, wanted: Wanted) -> NoticeFact:
    book, (notice, number) = errand.book(deed), which
    asks = book.purposes.get(purpose)
    if asks is None:
        raise Invalid([FieldError("purpose", "unknown-purpose")])
    if asks.basis != "consent":
        raise Invalid([FieldError("purpose", "no-consent-asked")])
    require(wanted.wording)
    wrong = list(_wrong(book, asks, wanted, deed.now))
    if wrong:
        raise Invalid(wrong)
    day = approval_day(wanted.approved_on, deed.now)
    fact = NoticeFact(
        id=notice,
        version=number,
        purpose=purpose,
        state="draft",
        texts=dict(wanted.wording.texts),
        sha256=wanted.wording.sha256,
        fields=tuple(sorted(_reach(book, asks) if wanted.fields is None else wanted.fields)),
        recipients=None if wanted.recipients is None else tuple(sorted(wanted.recipients)),
        parts=dict(wanted.wording.parts),
        parts_en=dict(wanted.wording.parts_en),
        approved_by=wanted.approved_by.strip(),
        approved_on=day.written,
        approved_day=day.day,
        material=wanted.material,
        reconsent_by=wanted.reconsent_by,
        drafted_by=errand.asker.ref,
        drafted_at=deed.now,
    )
    written = facts.write(deed, NOTICE, notice_key(notice, number), fact)
    deed.append(_entry(errand, book, DRAFTED, fact, (written,)), changes_law=True)
    return fact


def _wrong(book: Book, purpose: PurposeFact, wanted: Wanted, now: int) -> Iterator[FieldError]:
    name = wanted.approved_by.strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        yield FieldError("approved_by", "out-of-range")
    reach = _reach(book, purpose)
    for number, field in enumerate(wanted.fields or ()):
        if field not in reach:
            yield FieldError(f"fields.{number}", "unknown-field")
    if wanted.fields == ():
        # A notice that covers nothing lets nobody agree to anything.
        yield FieldError("fields", "no-fields")
    for number, code in enumerate(wanted.recipients or ()):
        party = book.recipients.get(code)
        outside = purpose.action == "disclose" and party is not None and party.revoked_at is None
        if not outside and (code != INTERNAL or purpose.action == "disclose"):
            yield FieldError(f"recipients.{number}", "unknown-recipient")
    if wanted.recipients == ():
        yield FieldError("recipients", "unknown-recipient")
    if wanted.reconsent_by is not None and (not wanted.material or wanted.reconsent_by <= now):
        yield FieldError("reconsent_by", "out-of-range")


def _reach(book: Book, purpose: PurposeFact) -> set[str]:
    """Every field of the association's record types that the purpose may touch at all."""
    return {
        one.name for shape in book.types.values() for one in shape.fields if purpose.classes is None or one.field_class in purpose.classes
    }


def _entry(errand: Errand, book: Book, kind: str, notice: NoticeFact, written: tuple[WrittenFact, ...]) -> Entry:
    article = f"{book.association.pack}:5"
    return errand.entry(kind=kind, outcome="allow", purpose=notice.purpose, article=article, facts=written, flags=errand.asker.flags)
