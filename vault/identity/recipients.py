"""Parties outside the house: registered by one person, their keys confirmed by another who compared the fingerprint, revoked by one alone.

Invariants: whatever is changed of a recipient, its key seals nothing until a person confirms it who had no hand in any change since the
last confirmation, and where anything was ever changed she says the fingerprint and the webhook she compared; what an agreement of two
people rests on (a processor or not, in the Kingdom or not) nobody changes alone while it lasts; who is revoked never comes back under that
code, since consents name it; what ends is in the journal first.
"""

from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from keys.errors import Unsealable
from keys.packages import checked_key, fingerprint
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.errors import Conflict, FieldError, Invalid, NotFound
from vault.identity.callers import Caller, still
from vault.identity.second_factor import SecondFactor
from vault.identity.two_people import require_two
from vault.rulebook import facts
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.shapes import HOME, RECIPIENT, RecipientFact
from vault.storage.journal import Closing
from vault.web.webhook_address import parse_webhook

_CONFIRMED: Final = "recipient.key-confirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A recipient as somebody lays it down; the name by language, the key empty where there is none."""

    code: str
    name: dict[str, str]
    kind: Literal["partner", "authority", "processor"]
    country: str
    key_type: str = ""
    key_public: str = ""
    webhook: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """What who confirms a key says she saw of the recipient: fingerprint and webhook, each None where she does not say it."""

    fingerprint: str | None = None
    webhook: str | None = None


@dataclass(frozen=True, slots=True)
class Recipients:
    """The deeds about recipients."""

    factor: SecondFactor

    async def register(self, caller: Caller, wanted: Wanted) -> tuple[RecipientFact, bool]:
        """Lay a recipient down or change it, and tell whether it is new; what is as it was stays confirmed.

        Raises Invalid for a name or key that is none, Conflict `recipient-revoked`, `recipient-under-agreement`.
        """
        made = await caller.association.run(lambda deed: _register(deed, still(deed, caller), wanted))
        await caller.association.refresh()
        return made

    async def confirm(self, caller: Caller, code: str, seen: Compared, one_time_code: str | None) -> RecipientFact:
        """Confirm that the key, and the webhook where there is one, are the recipient's.

        Raises NotFound, Conflict by what stands in the way, Invalid `fingerprint-required` where it was changed since it was registered and
        she does not say what she saw, refusals `same-person` and `step-up-required`, TooMany.
        """
        association = caller.association

        async def confirmed() -> RecipientFact:
            return await association.run(lambda deed: self._confirm(deed, still(deed, caller), code, seen, one_time_code))

        found = await heard(Errand(caller, ""), confirmed)
        await association.refresh()
        return found

    async def revoke(self, caller: Caller, code: str) -> RecipientFact:
        """Revoke a recipient: from this answer on nothing goes to it, and its own systems are shut out. Raises NotFound."""
        found = await caller.association.run(lambda deed: _revoke(deed, still(deed, caller), code))
        await caller.association.refresh()
        return found

    async def listed(self, caller: Caller) -> list[RecipientFact]:
        """Return every recipient, by code."""
        book = await caller.association.run(lambda deed: still(deed, caller).association.books.at(deed))
        return [book.recipients[code] for code in sorted(book.recipients)]

    def _confirm(self, deed: Deed, caller: Caller, code: str, seen: Compared, one_time_code: str | None) -> RecipientFact:
        book = caller.association.books.at(deed)
        found = _standing(book, code)
        if not found.key_public:
            raise Conflict("recipient-without-key")
        if seen.fingerprint is not None and seen.fingerprint != key_of(found):
            raise Conflict("recipient-key-changed")
        if seen.webhook is not None and seen.webhook != found.webhook:
            raise Conflict("recipient-webhook-changed")
        if found.confirmed_by:
            raise Conflict
        for hand in found.hands:
            require_two(book, hand, caller, _CONFIRMED)
        unsaid = [FieldError("fingerprint", "missing")] if seen.fingerprint is None else []
        if found.webhook and seen.webhook is None:
            unsaid.append(FieldError("webhook", "missing"))
        if unsaid and facts.version(deed, RECIPIENT, code) > 1:
            # Nothing else tells what was compared from what was laid down between looking and confirming.
            raise Invalid(unsaid, "fingerprint-required")
        approval = self.factor.approve(deed, caller, one_time_code, kind=_CONFIRMED)
        confirmed = msgspec.structs.replace(found, confirmed_by=caller.ref, confirmed_at=deed.now, hands=())
        written = facts.write(deed, RECIPIENT, code, confirmed)
        told = Entry(
            kind=_CONFIRMED,
            outcome="allow",
            actor=caller.ref,
            recipient=code,
            facts=(*approval.facts, written),
            flags=approval.flags,
        )
        deed.append(told, changes_law=True)
        return confirmed


def key_of(recipient: RecipientFact) -> str:
    """The fingerprint of a recipient's key, empty where it has none."""
    return fingerprint(recipient.key_type, recipient.key_public) if recipient.key_public else ""


def _register(deed: Deed, caller: Caller, wanted: Wanted) -> tuple[RecipientFact, bool]:
    book = caller.association.books.at(deed)
    before = book.recipients.get(wanted.code)
    if before is not None and before.revoked_at is not None:
        raise Conflict("recipient-revoked")
    _require_sound(wanted)
    if before is not None and _moves_ground(before, wanted) and _is_bound(book, wanted.code, deed.now):
        raise Conflict("recipient-under-agreement")
    now = RecipientFact(
        code=wanted.code,
        name=wanted.name,
        kind=wanted.kind,
        country=wanted.country,
        key_type=wanted.key_type,
        key_public=wanted.key_public,
        webhook=wanted.webhook,
        registered_by=before.registered_by if before else caller.ref,
        hands=tuple(sorted({caller.ref, *(before.hands if before else ())})),
    )
    if before is not None and _said(before) == _said(now):
        return before, False
    closes = None
    if before is not None and before.confirmed_by:
        closes = Closing("recipient-key", wanted.code, key_of(before))
    told = Entry(
        kind="recipient.changed" if before else "recipient.registered",
        outcome="allow",
        actor=caller.ref,
        recipient=wanted.code,
        facts=(facts.write(deed, RECIPIENT, wanted.code, now),),
        flags=caller.flags,
    )
    deed.append(told, changes_law=True, closes=closes)
    return now, before is None


def _moves_ground(before: RecipientFact, wanted: Wanted) -> bool:
    """Whether it would become another kind of party, or be in the Kingdom from now on: what a verdict on its own system rests on."""
    return before.kind != wanted.kind or (before.country != HOME and wanted.country == HOME)


def _is_bound(book: Book, code: str, now: int) -> bool:
    """Whether an agreement with this party waits for approval, is to come or in force: it is approved with the party as it is."""
    return any(one.recipient == code and one.revoked_at is None and now < one.valid_to for one in book.agreements.values())


def _revoke(deed: Deed, caller: Caller, code: str) -> RecipientFact:
    found = caller.association.books.at(deed).recipients.get(code)
    if found is None:
        raise NotFound
    if found.revoked_at is not None:
        return found
    ended = msgspec.structs.replace(found, revoked_at=deed.now)
    written = (facts.write(deed, RECIPIENT, code, ended),)
    told = Entry(kind="recipient.revoked", outcome="allow", actor=caller.ref, recipient=code, facts=written, flags=caller.flags)
    deed.append(told, changes_law=True, closes=Closing("recipient", code))
    return ended


def _standing(book: Book, code: str) -> RecipientFact:
    found = book.recipients.get(code)
    if found is None:
        raise NotFound
    if found.revoked_at is not None:
        raise Conflict("recipient-revoked")
    return found


def _require_sound(wanted: Wanted) -> None:
    for language, name in wanted.name.items():
        if not name.strip() or not name.isprintable():
            raise Invalid([FieldError(f"name.{language}", "out-of-range")])
    if wanted.webhook and parse_webhook(wanted.webhook) is None:
        raise Invalid([FieldError("webhook", "out-of-range")])
    if not wanted.key_type:
        return
    try:
        checked_key(wanted.key_type, wanted.key_public)
    except Unsealable:
        raise Invalid([FieldError("key.public", "not-a-key")]) from None


def _said(recipient: RecipientFact) -> tuple[object, ...]:
    """What a person laid down of it."""
    return recipient.name, recipient.kind, recipient.country, recipient.key_type, recipient.key_public, recipient.webhook
