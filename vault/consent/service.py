"""Gives, verifies and withdraws consent: each deed is an event of the person's sheet and an entry of the log, in one transaction.

Invariants: a consent is never wider than its notice; a written one counts only once a person has seen it who neither took it down nor
recorded it; what was rejected is never verified; what stands side by side for one purpose and recipient is bounded; a withdrawal ends every
consent of that person for that purpose and recipient and is in the journal before it is committed.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import insert

from vault.access_log.closed import of_consent
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry, WrittenFact
from vault.attachments.scans import Scan, cite
from vault.consent.evidence import Weighed, weigh
from vault.consent.forms_code import require_same
from vault.consent.within import Consent, Matter, check_giver, check_scope, checked, purpose_for, require_reach
from vault.errors import Conflict, FieldError, Gone, Invalid, NotFound, Unavailable
from vault.policy.events import Event, Given, Requested, Stopped, Verified
from vault.policy.facts import Grant, Person, Standing, Stop, StopKind, key
from vault.policy.standing import apply, replaced
from vault.rulebook.asker import Asker, Errand
from vault.rulebook.book import Book, notice_key
from vault.rulebook.shapes import NoticeFact, PurposeFact
from vault.rulebook.two_people import STAFF, same_person
from vault.storage.idempotency import Once, made_before, remember
from vault.storage.journal import Closing
from vault.subjects import people
from vault.subjects import tables as subject_tables
from vault.subjects.people import Known
from vault.subjects.sheet import Happened, happened, policy_event

CREATED = 201
MOST_GRANTS = 64
"""Consents that stand side by side for one purpose and recipient: each is in the sheet that every decision reads."""
Result = Literal["verified", "rejected"]
FLAGS = {"renew": "renewed", "confirm": "confirmed", "import_grant": "imported"}
"""What an entry says of a consent that was not simply given."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded consent: its id and what is still missing for it to count."""

    id: bytes
    state: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A no as it is brought to the vault: for what and whom, who said it and when (microseconds UTC), and why if that was said."""

    purpose: str
    recipient: str
    given_by: str
    indicated_at: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class No:
    """A no that was said: to which purpose and recipient, and when it was said (microseconds UTC)."""

    purpose: str
    recipient: str
    said_at: int


@dataclass(frozen=True, slots=True)
class Silenced:
    """What a no silenced: facts for its entry, and sealed words for its line in the journal, "" where it silenced nothing."""

    facts: tuple[WrittenFact, ...] = ()
    words: str = ""


Silence = Callable[[Deed, Book, Known, No], Silenced]
"""Writes down what somebody is not to be contacted at (any more)."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A consent as its person's history has it: the event, through which record, by whose hands, and what others found since.

    `scan` is the id of the scan it rests on and `scan_sha256` that file's digest in hexadecimal; both empty where it names none.
    """

    given: Given
    record: bytes
    hands: tuple[str, ...]
    results: tuple[str, ...] = ()
    scan: str = ""
    scan_sha256: str = ""


def grant(deed: Deed, errand: Errand, record: bytes, consent: Consent, once: Once | None) -> Recorded:
    """Record a consent; a repeat of the same request gives the one it made.

    Raises Invalid with the code of what does not hold (CONTRACT 3), a refusal with its entry for a former guardian and for a purpose that
    the asker's key is not for, TooMany, NotFound, Gone, Conflict `erasure-pending`, `too-many-consents`.
    """
    errand = errand.still(deed)
    if (made := made_by(deed, once)) is not None:
        return made
    known = people.of_record(deed, record)
    people.unlocked(known)
    matter = Matter(errand, errand.book(deed), known, record)
    purpose, notice = checked(deed, matter, consent)
    return take(deed, matter, consent, weighed_here(deed, consent, purpose, notice), once)


def weighed_here(deed: Deed, consent: Consent, purpose: PurposeFact, notice: NoticeFact) -> Weighed:
    """The evidence that came with a consent, as it counts for this purpose. Raises Invalid as `weigh`, and `form-mismatch`."""
    weighed = weigh(consent.form, consent.evidence, notice_sha256=notice.sha256[consent.language], now=deed.now)
    if consent.form == "written":
        require_same(weighed.detail, notice, consent.language)
    if consent.form == "electronic" and purpose.proof == "vault":
        # Only an answer to the vault's own challenge (`vault.consent.challenges`) completes it.
        return replace(weighed, missing=(*weighed.missing, "challenge"))
    return weighed


def take(
    deed: Deed, matter: Matter, consent: Consent, weighed: Weighed, once: Once | None, *, told: tuple[WrittenFact, ...] = ()
) -> Recorded:
    """Record a consent that was checked and whose evidence is weighed; `told` are facts the same deed wrote. Raises as `grant`."""
    known, purpose = matter.known, matter.book.purposes[consent.purpose]
    given = Given(consent.purpose, consent.recipient, _grant(deed, consent, weighed, purpose), consent.kind)
    _bounded(known, given)
    scan, cited = cite(deed, known, weighed.scan) if weighed.scan is not None else (None, ())
    detail = _detail(matter, consent, weighed, scan)
    fields = tuple(sorted(consent.fields))
    proof = scan.id.hex() if scan else None
    flags = () if consent.kind == "grant" else (FLAGS[consent.kind],)
    entry = _entry(matter, purpose, given, kind="consent.granted", fields=fields, evidence=proof, facts=(*cited, *told), flags=flags)
    _happen(deed, matter, given, entry, detail)
    id_ = bytes.fromhex(given.grant.id)
    row = {"association_id": deed.association, "consent": id_, "subject": known.subject, "record": matter.record}
    deed.transaction.connection.execute(insert(subject_tables.consent).values(row))
    if once is not None:
        remember(deed.transaction, deed.association, once, id_, CREATED)
    return Recorded(id_, _state_word(given.grant))


def made_by(deed: Deed, once: Once | None) -> Recorded | None:
    """The consent the same request made before, None where it is new. Raises Gone where its person was erased, Conflict, Unavailable."""
    consent = None if once is None else made_before(deed.transaction, deed.association, once)
    if consent is None:
        return None
    try:
        known, _ = people.of_consent(deed, consent)
    except NotFound as error:
        raise Gone from error
    taken = taken_all(deed, known).get(consent.hex())
    if taken is None:
        raise Unavailable("integrity")
    return Recorded(consent, _state_word(taken.given.grant))


def verify(deed: Deed, errand: Errand, consent: bytes, result: Result, sighted: str, *, scan_sha256: str | None = None) -> str:
    """Record that a second person has seen the evidence, or rejected it; the rejection of what already counts invalidates it.

    Who has seen the scan tells its SHA-256. Raises a refusal `same-person` with its entry, TooMany, Invalid `evidence-mismatch` where the
    consent rests on no scan or on another, Conflict where it no longer stands or was rejected before, NotFound.
    """
    matter, taken, purpose = about(deed, errand, consent)
    given = taken.given
    kind = "consent.verified" if result == "verified" else "consent.rejected"
    told = _entry(matter, purpose, given, kind=kind, flags=errand.asker.flags)
    if any(same_person(matter.book, matter.errand.asker.ref, hand) for hand in taken.hands):
        raise matter.refusal(told, "SAME_PERSON")
    people.unlocked(matter.known)
    standing = standing_of(matter.known, given)
    if standing is None:
        raise Conflict("consent-not-standing")
    if "rejected" in taken.results:
        raise Conflict("consent-rejected")
    if (sighted == "scan" or scan_sha256 is not None) and not _is_scan(taken, scan_sha256):
        raise Invalid([FieldError("scan_sha256", "evidence-mismatch")], "evidence-mismatch")
    detail = {"result": result, "sighted": sighted, "consent": consent.hex()}
    if result == "verified":
        _happen(deed, matter, Verified(given.purpose, given.recipient, consent.hex(), deed.now), told, detail)
    elif standing.verified:
        _stop(deed, matter, given, told, detail, kind="invalidate")
    else:
        # Not yet seen and never to count: what is rejected cannot be verified later.
        _happen(deed, matter, Requested(given.purpose, given.recipient, deed.now), told, detail)
    return result


def withdraw(deed: Deed, errand: Errand, consent: bytes, given_by: str, reason: str | None, *, silence: Silence) -> None:
    """End every consent of this person for the purpose and recipient of that one, now. Raises as `grant` for who speaks; NotFound.

    `silence` writes down in the same deed what she is not to be contacted at any more, through nobody's record.
    """
    matter, taken, purpose = about(deed, errand, consent)
    check_giver(deed, matter, given_by, purpose)
    silent = silence(deed, matter.book, matter.known, No(purpose.code, taken.given.recipient, deed.now))
    law = f"{matter.book.association.law_pack}:5"
    told = _entry(matter, purpose, taken.given, kind="consent.withdrawn", law=law, facts=silent.facts)
    detail = {"consent": consent.hex()} | ({"reason": reason} if reason else {})
    _stop(deed, matter, taken.given, told, detail, kind="withdraw", by=given_by, silent=silent.words)


def staff_ref(asker: Asker, book: Book, text: str) -> str | None:
    """The log's name of a member of staff given by id or user name, None where there is none."""
    spelled = text.strip().lower()
    found: str | None = spelled.replace("-", "")
    if found not in book.staff:
        found = book.staff_by_name.get(asker.association.cabinet.pepper.hash("username", spelled).hex())
    return f"{STAFF}{found}" if found else None


def refuse(deed: Deed, errand: Errand, record: bytes, said: Refusal, *, silence: Silence) -> None:
    """Record that somebody was asked and said no: nothing is done for that purpose and recipient until she agrees anew.

    `silence` as in `withdraw`: who never agreed is not to be contacted through another's record either. Raises as `grant` for purpose,
    recipient and who speaks; NotFound.
    """
    errand = errand.still(deed)
    known = people.of_record(deed, record)
    people.unlocked(known)
    matter = Matter(errand, errand.book(deed), known, record)
    purpose = purpose_for(matter.book, said.purpose, said.recipient)
    check_scope(matter, purpose)
    require_reach(deed, errand, known, record, "consent.declined")
    check_giver(deed, matter, said.given_by, purpose)
    said_at = min(said.indicated_at, deed.now)
    silent = silence(deed, matter.book, known, No(said.purpose, said.recipient, said_at))
    stop = Stopped(said.purpose, said.recipient, Stop("refuse", said_at, deed.now), said.given_by)
    told = errand.entry(
        kind="consent.declined",
        outcome="allow",
        purpose=said.purpose,
        recipient=said.recipient,
        article=matter.article(purpose),
        facts=silent.facts,
    )
    closing = Closing("refusal", known.subject.hex(), of_consent(said.purpose, said.recipient, silent.words))
    _happen(deed, matter, stop, told, {"reason": said.reason} if said.reason else {}, closes=closing)


def invalidate(deed: Deed, errand: Errand, consent: bytes, reason: str) -> None:
    """End every consent of this person for the purpose and recipient of that one, since it was found that it never was good.

    Raises NotFound, Conflict `consent-not-standing` where it ended before.
    """
    matter, taken, purpose = about(deed, errand, consent)
    if standing_of(matter.known, taken.given) is None:
        raise Conflict("consent-not-standing")
    law = f"{matter.book.association.law_pack}:5"
    told = _entry(matter, purpose, taken.given, kind="consent.invalidated", law=law, flags=errand.asker.flags)
    _stop(deed, matter, taken.given, told, {"consent": consent.hex(), "reason": reason}, kind="invalidate")


def about(deed: Deed, errand: Errand, consent: bytes) -> tuple[Matter, Taken, PurposeFact]:
    """What a deed on a recorded consent is about. Raises NotFound, Unavailable `integrity` where index and history disagree."""
    errand = errand.still(deed)
    known, record = people.of_consent(deed, consent)
    taken = taken_all(deed, known).get(consent.hex())
    if taken is None or taken.record != record:
        raise Unavailable("integrity")
    book = errand.book(deed)
    return Matter(errand, book, known, record), taken, book.purposes[taken.given.purpose]


def _happen(deed: Deed, matter: Matter, event: Event, told: Entry, detail: dict[str, Any], *, closes: Closing | None = None) -> None:
    wrapped = happened(event, at=deed.now, by=matter.errand.asker.ref, record=matter.record, detail=detail)
    people.change(deed, matter.known, [wrapped], told, record=matter.record or None, closes=closes)


def _stop(
    deed: Deed, matter: Matter, given: Given, told: Entry, detail: dict[str, Any], *, kind: StopKind, by: str = "", silent: str = ""
) -> None:
    stop = Stop(kind, deed.now, deed.now)
    stopped = Stopped(given.purpose, given.recipient, stop, by) if by else Stopped(given.purpose, given.recipient, stop)
    word = "withdrawal" if kind == "withdraw" else "invalidation"
    closing = Closing(word, matter.known.subject.hex(), of_consent(given.purpose, given.recipient, silent))
    _happen(deed, matter, stopped, told, detail, closes=closing)


def _entry(matter: Matter, purpose: PurposeFact, given: Given, *, kind: str, **members: object) -> Entry:
    law = f"{matter.book.association.law_pack}:{purpose.law}" if purpose.law else None
    return matter.errand.entry(
        **{
            "kind": kind,
            "outcome": "allow",
            "purpose": given.purpose,
            "recipient": given.recipient,
            "article": matter.article(purpose),
            "law": law,
            "consents": (given.grant.id,),
            **members,
        },
    )


def _detail(matter: Matter, consent: Consent, weighed: Weighed, scan: Scan | None) -> dict[str, Any]:
    """What is kept beside the event and never decides, but for whose hands it went through."""
    return {
        "evidence": dict(weighed.detail),
        "missing": list(weighed.missing),
        "captured_by": _captured_by(matter, consent, weighed),
        "recorded_by": matter.errand.hand,
        "language": consent.language,
        **({"channel": consent.channel} if consent.channel else {}),
        **({"scan": {"id": scan.id.hex(), "sha256": scan.about.sha256, "by": scan.about.by}} if scan else {}),
    }


def _captured_by(matter: Matter, consent: Consent, weighed: Weighed) -> str:
    """The member of staff who took the consent down, as the log names her; the asker where no form names one."""
    if consent.form != "written" or not weighed.captured_by:
        return matter.errand.hand
    named = staff_ref(matter.errand.asker, matter.book, weighed.captured_by)
    if named is None:
        raise Invalid([FieldError("evidence.captured_by", "unknown-staff")], "evidence-malformed")
    return named


def _grant(deed: Deed, consent: Consent, weighed: Weighed, purpose: PurposeFact) -> Grant:
    return Grant(
        id=os.urandom(16).hex(),
        form=consent.form,
        fields=consent.fields,
        notice=notice_key(consent.notice, consent.notice_version),
        by=consent.given_by,
        indicated_at=min([consent.indicated_at, *weighed.signed_at]),
        recorded_at=deed.now,
        usable_from=deed.now,
        expires_at=consent.expires_at,
        explicit=consent.explicit,
        complete=not weighed.missing,
        verified=consent.form != "written",
        confirmed=weighed.confirmed or not purpose.double_opt_in,
        imported=consent.kind == "import_grant",
    )


def _is_scan(taken: Taken, sha256: str | None) -> bool:
    """Whether the consent rests on a scan, and this is its digest."""
    return bool(taken.scan_sha256) and sha256 is not None and sha256.lower() == taken.scan_sha256


def taken_all(deed: Deed, known: Known) -> dict[str, Taken]:
    """How each of her consents was given and what others found since, by its id in hexadecimal, oldest first. Raises Unavailable."""
    found: dict[str, Taken] = {}
    for one in _happened(deed, known):
        event, seen = policy_event(one), found.get(str(one.detail.get("consent", "")))
        if isinstance(event, Given):
            found.setdefault(event.grant.id, _as_given(one, event))
        elif seen is not None and "result" in one.detail:
            found[seen.given.grant.id] = replace(seen, results=(*seen.results, str(one.detail["result"])))
    return found


def _as_given(one: Happened, given: Given) -> Taken:
    scan = one.detail.get("scan", {})
    # Who handed the scan in had it in hand as well.
    hands = (one.detail.get("captured_by", one.by), one.detail.get("recorded_by", one.by), one.by, *([scan["by"]] if scan else []))
    return Taken(
        given,
        bytes.fromhex(one.record),
        tuple(str(hand) for hand in hands),
        scan=str(scan.get("id", "")),
        scan_sha256=str(scan.get("sha256", "")),
    )


def _happened(deed: Deed, known: Known) -> Iterator[Happened]:
    for events in people.history(deed, known):
        yield from (one for one in events if isinstance(one, Happened))


def standing_of(known: Known, given: Given) -> Grant | None:
    """The grant as it stands in the sheet, as it was given where one that outlasts it took its place; None where something stopped it."""
    standing = known.sheet.person.standings.get(key(given.purpose, given.recipient)) if known.sheet else None
    if standing is None:
        return None
    kept = next((one for each in (standing, *standing.twins) for one in each.grants if one.id == given.grant.id), None)
    return given.grant if kept is None and replaced(standing, given.grant) else kept


def _bounded(known: Known, given: Given) -> None:
    person, name = known.sheet.person if known.sheet else Person(), key(given.purpose, given.recipient)
    before, after = (one.standings.get(name, Standing()) for one in (person, apply(person, given)))
    if any(
        len(now.grants) > max(MOST_GRANTS, len(was.grants)) for was, now in zip((before, *before.twins), (after, *after.twins), strict=True)
    ):
        raise Conflict("too-many-consents")


def _state_word(given: Grant) -> str:
    if not given.complete:
        return "evidence-incomplete"
    return "recorded" if given.verified else "awaiting-verification"
