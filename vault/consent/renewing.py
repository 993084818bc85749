"""Renews and confirms what was agreed to: the same purpose, recipient and fields, under words and evidence of now.

Invariants: neither is ever wider than what it goes on from; nobody but the person herself confirms, and only what waits for her word: the
second step of a double opt-in, or what a guardian gave before she came of age (implementing regulation 13).
"""

from dataclasses import replace

from vault.access_log.deed import Deed
from vault.consent import service
from vault.consent.service import Recorded, Taken
from vault.consent.within import Consent, Matter, checked
from vault.errors import Conflict, FieldError, Invalid
from vault.policy.facts import SELF, Grant, Person
from vault.policy.standing import lacks_capacity
from vault.rulebook.asker import Errand
from vault.storage.idempotency import Once
from vault.subjects import people


def renew(deed: Deed, errand: Errand, consent: bytes, wanted: Consent, once: Once | None) -> Recorded:
    """Record that a consent which nobody ended is given on, under the notice and evidence of now.

    `wanted` says neither purpose, recipient nor fields: those are the consent's. Raises as `service.grant`; NotFound, Conflict
    `consent-not-standing` where it was ended, and is to be given anew instead.
    """
    return _again(deed, errand, consent, replace(wanted, kind="renew"), once)


def confirm(deed: Deed, errand: Errand, consent: bytes, wanted: Consent, once: Once | None) -> Recorded:
    """Record that the person herself confirms a consent: the second step of a double opt-in, or what a guardian gave before her majority.

    Raises as `renew`; Invalid where another than she speaks, Conflict `nothing-to-confirm` where nothing waits for her word.
    """
    if wanted.given_by != SELF:
        raise Invalid([FieldError("given_by", "out-of-range")])
    return _again(deed, errand, consent, replace(wanted, kind="confirm"), once)


def _again(deed: Deed, errand: Errand, consent: bytes, wanted: Consent, once: Once | None) -> Recorded:
    errand = errand.still(deed)
    if (made := service.made_by(deed, once)) is not None:
        return made
    matter, taken, purpose = service.about(deed, errand, consent)
    people.unlocked(matter.known)
    standing = service.standing_of(matter.known, taken.given)
    if standing is None:
        raise Conflict("consent-not-standing")
    if wanted.kind == "confirm":
        _require_open(deed, matter, standing)
    same = _of(taken, wanted)
    _, notice = checked(deed, matter, same)
    weighed = service.weighed_here(deed, same, purpose, notice)
    if same.kind == "confirm" and not standing.confirmed and not weighed.confirmed:
        # What proves that the number is hers is a code that came back, and no second click.
        raise Invalid([FieldError("evidence.proof", "missing")], "evidence-malformed")
    return service.take(deed, matter, same, weighed, once)


def _of(taken: Taken, wanted: Consent) -> Consent:
    given = taken.given
    return replace(wanted, purpose=given.purpose, recipient=given.recipient, fields=given.grant.fields)


def _require_open(deed: Deed, matter: Matter, standing: Grant) -> None:
    person = matter.known.sheet.person if matter.known.sheet else Person()
    came_of_age = standing.by != SELF and person.full_capacity_from is not None and not lacks_capacity(person, deed.now)
    if standing.confirmed and not came_of_age:
        raise Conflict("nothing-to-confirm")
