"""What is checked before a consent is taken down or withdrawn: purpose, notice, fields, and who speaks.

Invariants: a consent is never wider than its notice and its purpose; nobody speaks for another after the end of his office (implementing
regulation 13), and that refusal is an entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn

from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import About, Entry
from vault.errors import FieldError, Invalid, NotFound
from vault.policy.facts import INTERNAL, SELF, Form
from vault.policy.signers import guardian_of, may_speak
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book, notice_key
from vault.rulebook.shapes import NoticeFact, PurposeFact
from vault.subjects.people import Known

SENSITIVE = frozenset({"health", "sensitive"})
Kind = Literal["grant", "renew", "confirm", "import_grant"]


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent as it is brought to the vault; times in microseconds UTC, `channel` empty where it was not said by which it came.

    `kind` is how it came: given, renewed, confirmed by herself, or brought in from elsewhere.
    """

    purpose: str
    recipient: str
    fields: frozenset[str]
    form: Form
    explicit: bool
    notice: str
    notice_version: int
    language: str
    sha256: str
    given_by: str
    indicated_at: int
    expires_at: int | None
    evidence: Mapping[str, Any]
    channel: str = ""
    kind: Kind = "grant"


@dataclass(frozen=True, slots=True)
class Matter:
    """What a deed about consent is about: for whom it is done, the rulebook inside it, the person and her record.

    `record` is empty for a consent that a visitor gave before anything of hers was stored.
    """

    errand: Errand
    book: Book
    known: Known
    record: bytes

    def article(self, purpose: PurposeFact) -> str:
        """The article a purpose rests on, as entries cite it."""
        return f"{self.book.association.pack}:{purpose.article}"

    def refusal(self, told: Entry, reason: str) -> EntryRefusal:
        """The refusal of what this entry would have told of."""
        return EntryRefusal(replace(told, outcome="refuse", reason=reason, about=(About(self.known.subject, self.record or None),)))


def checked(deed: Deed, matter: Matter, consent: Consent) -> tuple[PurposeFact, NoticeFact]:
    """Purpose and notice of a consent that may be asked for and taken down here. Raises as the checks below do."""
    purpose, notice = purpose_of(matter.book, consent), notice_of(matter.book, consent)
    check_channel(matter.book, consent)
    check_scope(matter, purpose)
    require_reach(deed, matter.errand, matter.known, matter.record, "consent.refused")
    check_fields(matter, consent, purpose, notice)
    check_giver(deed, matter, consent.given_by, purpose)
    return purpose, notice


def purpose_of(book: Book, consent: Consent) -> PurposeFact:
    """The purpose of a consent. Raises Invalid where it asks for none, or goes to nobody it can go to."""
    return purpose_for(book, consent.purpose, consent.recipient)


def purpose_for(book: Book, code: str, party: str) -> PurposeFact:
    """The purpose of this code, for this recipient. Raises Invalid as `purpose_of`."""
    purpose = book.purposes.get(code)
    if purpose is None:
        raise Invalid([FieldError("purpose", "unknown-purpose")])
    if purpose.basis != "consent":
        raise Invalid([FieldError("purpose", "no-consent-asked")])
    if party != INTERNAL and (party not in book.recipients or book.recipients[party].revoked_at is not None):
        raise Invalid([FieldError("recipient", "unknown-recipient")])
    if (party == INTERNAL) == (purpose.action == "disclose") or (purpose.internal_only and party != INTERNAL):
        raise Invalid([FieldError("recipient", "action-mismatch")])
    return purpose


def notice_of(book: Book, consent: Consent) -> NoticeFact:
    """The notice that was shown. Raises Invalid for one there is none of, `notice-hash-mismatch` where its text was another."""
    notice = book.notices.get(notice_key(consent.notice, consent.notice_version))
    if notice is None or notice.state != "published" or notice.purpose != consent.purpose:
        raise Invalid([FieldError("notice.id", "unknown-notice")])
    if consent.language not in notice.sha256:
        raise Invalid([FieldError("notice.language", "unknown-notice")])
    if notice.sha256[consent.language] != consent.sha256.lower():
        raise Invalid([FieldError("notice.sha256", "notice-hash-mismatch")], "notice-hash-mismatch")
    return notice


def check_channel(book: Book, consent: Consent) -> None:
    """Raise Invalid for a channel the pack does not know, and for a form that it cannot capture: no paper is signed on the telephone."""
    if not consent.channel:
        return
    channel = book.pack.channels.get(consent.channel)
    if channel is None:
        raise Invalid([FieldError("channel", "unknown-channel")])
    if consent.form not in channel.forms:
        raise Invalid([FieldError("channel", "channel-form")])


def check_fields(matter: Matter, consent: Consent, purpose: PurposeFact, notice: NoticeFact) -> None:
    """Raise Invalid unless fields and recipient lie within notice and purpose: `exceeds-notice`, `explicit-required`, member by member."""
    state = matter.known.sheet.records.get(matter.record.hex()) if matter.known.sheet else None
    if state is None:
        raise NotFound
    classes = {one.name: one.field_class for one in matter.book.types[state.type].fields}
    if not consent.fields:
        raise Invalid([FieldError("fields", "no-fields")])
    if not consent.fields <= classes.keys():
        raise Invalid([FieldError("fields", "unknown-field")])
    outside = purpose.classes is not None and any(classes[name] not in purpose.classes for name in consent.fields)
    foreign = notice.recipients is not None and consent.recipient not in notice.recipients
    if outside or foreign or not consent.fields <= set(notice.fields):
        raise Invalid([FieldError("fields", "exceeds-notice")], "exceeds-notice")
    if not consent.explicit and any(classes[name] in SENSITIVE for name in consent.fields):
        raise Invalid([FieldError("explicit", "explicit-required")], "explicit-required")
    if consent.expires_at is not None and consent.expires_at <= consent.indicated_at:
        raise Invalid([FieldError("expires_at", "out-of-range")])


def check_giver(deed: Deed, matter: Matter, given_by: str, purpose: PurposeFact) -> None:
    """Raise Invalid for a guardian this person never had, and a refusal with its entry for one who may no longer speak for her."""
    person = matter.known.sheet.person if matter.known.sheet else None
    if given_by == SELF or person is None:
        return
    if guardian_of(person, given_by) is None:
        raise Invalid([FieldError("given_by", "unknown-guardian")])
    if not may_speak(person, given_by, deed.now):
        _refuse(matter, purpose, matter.article(purpose), "GUARDIAN_REMOVED")


def check_scope(matter: Matter, purpose: PurposeFact) -> None:
    """Raise a refusal with its entry where the asker's key is not for this purpose (article 1)."""
    purposes = matter.errand.asker.asker.purposes
    if purposes is not None and purpose.code not in purposes:
        _refuse(matter, purpose, f"{matter.book.association.pack}:1", "OUT_OF_SCOPE")


def require_reach(deed: Deed, errand: Errand, known: Known, record: bytes, kind: str) -> None:
    """Raise a refusal with its entry, of this kind, where the asker's key is not for records of this one's type (article 1)."""
    state = known.sheet.records.get(record.hex()) if known.sheet else None
    errand.require_type(deed, state.type if state else "", kind, (About(known.subject, record or None),))


def require_case(deed: Deed, errand: Errand, known: Known, record: bytes, kind: str) -> None:
    """Raise a refusal as `require_reach`, and to a caseworker who does not have this person's case (article 2)."""
    require_reach(deed, errand, known, record, kind)
    until = known.sheet.assigned_until(errand.asker.assignees, deed.now) if known.sheet else 0
    errand.require_assigned(deed, until, kind, (About(known.subject, record or None),))


def _refuse(matter: Matter, purpose: PurposeFact, article: str, reason: str) -> NoReturn:
    told = matter.errand.entry(kind="consent.refused", outcome="refuse", purpose=purpose.code, article=article)
    raise matter.refusal(told, reason)
