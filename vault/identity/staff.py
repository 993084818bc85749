"""Accounts of people: proposed by one and approved by another, ended by one alone; credentials and acknowledgement are each person's own.

Invariants: names lie nowhere but as keyed hashes; of the first secrets one half is told to who proposes and the other to who approves, so
that neither can take the account for herself (docs/adr/0016-siblings.md); an account holds no scope until its person has replaced them; an
account that was made by one of two people makes them one (promise 9); two who approve are always left.
"""

import asyncio
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from keys.one_time_codes import accept, new_secret
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.errors import Conflict, FieldError, Invalid, NotFound, Unauthenticated, VaultError
from vault.identity.callers import Caller, is_engaged, still
from vault.identity.names import name_hash, parse_username
from vault.identity.own_sessions import shut_sessions
from vault.identity.policy_version import has_acknowledged, policy_sha256
from vault.identity.proposals import STAFF_PROPOSAL, StaffProposal, proposed, waiting
from vault.identity.scopes import require_roles, scopes_of
from vault.identity.second_factor import SecondFactor, shut_codes
from vault.identity.sessions import Sessions
from vault.identity.staff_record import named_in
from vault.identity.strength import require_strong
from vault.identity.two_people import require_two
from vault.rulebook import facts
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.shapes import STAFF, STEP, StaffFact, StepFact
from vault.storage.idempotency import Once, made_before, remember
from vault.storage.journal import Closing

Engagement = Literal["employee", "consultant", "volunteer", "board"]
State = Literal["proposed", "active", "ended"]

FEWEST_APPROVERS: Final = 2
SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 256
HALF_BYTES: Final = 15
NOT_OWN: Final = "not-own"
"""What a first secret is that is sent again as one's own: those who made the account, or the ceremony, were told it."""
_ENDS: Final = frozenset({"consultant", "volunteer"})
_TOTP_SECRET = re.compile(r"[A-Z2-7]{32,64}", re.ASCII)
_LAST_GROUPS: Final = frozenset({0, 2, 4, 5, 7})
"""How many letters the last group of base32 may have (RFC 4648, section 6): others are of no whole number of bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An account as asked for; `valid_to` in microseconds UTC, which consultants and volunteers must have (DESIGN 3).

    `unit` is the code of the unit she works in, empty for none; `record` the one in which her name and contacts lie sealed.
    """

    username: str
    engagement: Engagement
    roles: tuple[str, ...]
    valid_to: int | None = None
    unit: str = ""
    record: bytes | None = None


@dataclass(frozen=True, slots=True)
class Proposed:
    """An account's id (hex) and the beginning of its first password, told once; `already` for the repeat of a request, told none."""

    id: str
    password_start: str | None = field(default=None, repr=False)
    already: bool = False


@dataclass(frozen=True, slots=True)
class Approved:
    """What whoever approved an account hands to its person: the end of the first password, and the first code secret."""

    password_end: str = field(repr=False)
    totp_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listed:
    """One account as people see it: roles and standing, no name."""

    member: StaffFact
    state: State
    acknowledged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCredentials:
    """A person's own new password and code secret, with a code that shows the secret is in her app."""

    password: str = field(repr=False)
    totp_secret: str = field(repr=False)
    totp_code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Staff:
    """The deeds about accounts of people."""

    factor: SecondFactor
    sessions: Sessions

    async def propose(self, caller: Caller, wanted: Wanted, request: Once | None = None) -> Proposed:
        """Propose an account and tell the beginning of its first password.

        Raises Invalid, Conflict for a name that is taken or `idempotency-mismatch`.
        """
        start, end = (secrets.token_urlsafe(HALF_BYTES) for _ in range(2))
        first = _First(start, end, await self.sessions.hash_password(start + end))
        return await caller.association.run(lambda deed: _propose(deed, still(deed, caller), wanted, first, request))

    async def approve(self, caller: Caller, staff: bytes, code: str | None) -> Approved:
        """Approve an account another person proposed: from this answer on the person may sign in, and set credentials of her own.

        Tells the other half of the first secrets, once.

        Raises NotFound, Conflict, refusals `same-person` and `step-up-required`, TooMany.
        """
        association = caller.association
        told = await heard(
            Errand(caller, ""), lambda: association.run(lambda deed: self._approve(deed, still(deed, caller), staff.hex(), code))
        )
        await caller.association.refresh()
        return told

    async def end(self, caller: Caller, staff: bytes) -> None:
        """End an account, or withdraw one that waits for approval: from this answer on its sessions open nothing.

        Raises NotFound, Conflict `last-approver` where fewer than two people who approve would be left.
        """
        await caller.association.run(lambda deed: _end(deed, still(deed, caller), staff.hex()))
        await caller.association.refresh()

    async def acknowledge(self, caller: Caller, policy: str) -> str:
        """Acknowledge the policy in person, by its hash (article 2); return it.

        Raises Invalid `notice-hash-mismatch` for another, Conflict `credentials-first` while the account's first secrets still open it.
        """
        told = await caller.association.run(lambda deed: _acknowledge(deed, still(deed, caller), policy))
        await caller.association.refresh()
        return told

    async def set_credentials(self, caller: Caller, password: str, code: str, new: NewCredentials) -> None:
        """Replace the caller's own password and code secret; every session of hers ends with it, this one too.

        The account no longer counts as one of the ceremony, and holds the scopes of its roles. A recovery code does in the place of a
        one-time code. Raises Unauthenticated for a wrong password or code, Invalid, `too-weak` and `not-own` among others, TooMany.
        """
        _require_sound(new)
        own = (caller.association.code, *caller.association.code.split("-"))
        await asyncio.to_thread(require_strong, new.password, own, "new_password")
        member = (await caller.association.refresh()).staff[caller.id]
        self.factor.guesses.take(caller.ref)
        if not await self.sessions.matches(member, password):
            raise Unauthenticated
        if new.password == password and (not member.scopes or member.ceremony):
            raise Invalid([FieldError("new_password", NOT_OWN)])
        hashed = await self.sessions.hash_password(new.password)
        wrong = await caller.association.run(
            lambda deed: self._set_credentials(deed, still(deed, caller), code, new, (member.password_hash, hashed))
        )
        if wrong is not None:
            raise wrong
        await caller.association.refresh()

    async def listed(self, caller: Caller) -> list[Listed]:
        """Return every account, by id."""
        return await caller.association.run(lambda deed: _listed(deed, still(deed, caller)))

    def _approve(self, deed: Deed, caller: Caller, staff: str, code: str | None) -> Approved:
        kind = "staff.approved"
        book = caller.association.books.at(deed)
        proposal = proposed(deed, STAFF_PROPOSAL, staff)
        require_two(book, proposal.proposed_by, caller, kind)
        if proposal.member.name_hash in book.staff_by_name:
            raise Conflict
        _require_future(proposal.member.valid_to, deed.now)
        approval = self.factor.approve(deed, caller, code, kind=kind)
        settled = msgspec.structs.replace(proposal, state="approved", settled_by=caller.ref, password_end="")
        written = (facts.write(deed, STAFF, staff, proposal.member), facts.write(deed, STAFF_PROPOSAL, staff, settled))
        entry = Entry(kind=kind, outcome="allow", actor=caller.ref, facts=(*approval.facts, *written), flags=approval.flags)
        deed.append(entry, changes_law=True)
        return Approved(proposal.password_end, proposal.member.totp_secret)

    def _set_credentials(self, deed: Deed, caller: Caller, code: str, new: NewCredentials, hashes: tuple[str, str]) -> VaultError | None:
        """Nothing, or what is answered for a wrong code: given, not raised, for a deed that raises leaves no entry of its alarm."""
        checked, hashed = hashes
        member = _member(caller.association.books.at(deed), caller.id)
        if member.password_hash != checked:
            raise Unauthenticated
        if (not member.scopes or member.ceremony) and new.totp_secret == member.totp_secret:
            raise Invalid([FieldError("totp_secret", NOT_OWN)])
        used = self.factor.step(deed, member, code)
        recovered = used is None
        if recovered and self.factor.after_recovery(deed, member, code) is None:
            return self.sessions.guessed(deed, caller.association, member, Unauthenticated())
        step = accept(new.totp_secret, new.totp_code, deed.now, 0)
        if step is None:
            raise Invalid([FieldError("totp_code", "out-of-range")])
        # Never back: who keeps her old secret would otherwise let a code count again that was used.
        last = facts.read(deed, STEP, member.id)
        step = max(step, used or 0, last.step if last else 0)
        changed = msgspec.structs.replace(
            member,
            password_hash=hashed,
            totp_secret=new.totp_secret,
            scopes=member.scopes or scopes_of(member.roles),
            # With the ceremony's secrets it was whoever held them that acknowledged, and not the person (article 2).
            acknowledged="" if member.ceremony else member.acknowledged,
            ceremony=False,
            reset_at=deed.now,
        )
        written = (facts.write(deed, STEP, member.id, StepFact(step=step)), facts.write(deed, STAFF, member.id, changed))
        flags = ("recovery-code",) if recovered else ()
        ended = (*shut_sessions(deed, caller.ref), *shut_codes(deed, member.id))
        entry = Entry(kind="staff.credentials-set", outcome="allow", actor=caller.ref, facts=(*written, *ended), flags=flags)
        # After a restore the secrets that were replaced open nothing either.
        deed.append(entry, changes_law=True, closes=Closing("credentials", member.id))
        return None


@dataclass(frozen=True, slots=True)
class _First:
    """The two halves of a first password and the hash of both together."""

    start: str = field(repr=False)
    end: str = field(repr=False)
    hashed: str = field(repr=False)


def _propose(deed: Deed, caller: Caller, wanted: Wanted, first: _First, request: Once | None) -> Proposed:
    made = made_before(deed.transaction, deed.association, request) if request else None
    if made is not None:
        return Proposed(made.hex(), already=True)
    roles = require_roles(wanted.roles)
    _require_future(wanted.valid_to, deed.now)
    if wanted.valid_to is None and wanted.engagement in _ENDS:
        raise Invalid([FieldError("valid_to", "missing")])
    member = StaffFact(
        id=os.urandom(16).hex(),
        name_hash=_name_hash(deed, caller, wanted.username),
        engagement=wanted.engagement,
        roles=roles,
        # None before its person has set credentials of her own: these were known to those who made the account.
        scopes=(),
        password_hash=first.hashed,
        totp_secret=new_secret(),
        valid_to=wanted.valid_to,
        made_by=caller.ref,
        unit=wanted.unit,
        record=named_in(deed, caller, wanted.record, roles),
    )
    _require_free(deed, caller, member.name_hash)
    proposal = StaffProposal(member=member, proposed_by=caller.ref, proposed_at=deed.now, password_end=first.end)
    written = facts.write(deed, STAFF_PROPOSAL, member.id, proposal)
    deed.append(Entry(kind="staff.proposed", outcome="allow", actor=caller.ref, facts=(written,), flags=caller.flags))
    if request:
        remember(deed.transaction, deed.association, request, bytes.fromhex(member.id), 201)
    return Proposed(member.id, first.start)


def _end(deed: Deed, caller: Caller, staff: str) -> None:
    book = caller.association.books.at(deed)
    member = book.staff.get(staff)
    proposal = facts.read(deed, STAFF_PROPOSAL, staff)
    written = []
    if member is not None:
        _require_approvers(book, member, deed.now)
        end = deed.now if member.valid_to is None else min(member.valid_to, deed.now)
        written.append(facts.write(deed, STAFF, staff, msgspec.structs.replace(member, active=False, valid_to=end)))
    if proposal is not None and proposal.state == "proposed":
        withdrawn = msgspec.structs.replace(proposal, state="withdrawn", settled_by=caller.ref, password_end="")
        written.append(facts.write(deed, STAFF_PROPOSAL, staff, withdrawn))
    if not written:
        raise NotFound
    entry = Entry(kind="staff.ended", outcome="allow", actor=caller.ref, facts=tuple(written), flags=caller.flags)
    deed.append(entry, changes_law=True, closes=Closing("staff", staff))


def _acknowledge(deed: Deed, caller: Caller, policy: str) -> str:
    book = caller.association.books.at(deed)
    current = policy_sha256(book.association)
    if policy != current:
        raise Invalid([FieldError("policy_sha256", "out-of-range")], "notice-hash-mismatch")
    member = _member(book, caller.id)
    if not member.scopes:
        # Those who made the account may hold this session together: what is acknowledged with it is not in person.
        raise Conflict("credentials-first")
    written = facts.write(deed, STAFF, caller.id, msgspec.structs.replace(member, acknowledged=current))
    article = f"{book.association.pack}:2"
    entry = Entry(kind="policy.acknowledged", outcome="allow", actor=caller.ref, article=article, facts=(written,), flags=caller.flags)
    deed.append(entry, changes_law=True)
    return current


def _listed(deed: Deed, caller: Caller) -> list[Listed]:
    book = caller.association.books.at(deed)
    seen = {key: Listed(each.member, "proposed", acknowledged=False) for key, each in waiting(deed, STAFF_PROPOSAL).items()}
    for key, member in book.staff.items():
        state: State = "active" if is_engaged(member, deed.now) else "ended"
        seen[key] = Listed(member, state, has_acknowledged(book.association, member))
    return [seen[key] for key in sorted(seen)]


def _member(book: Book, staff: str) -> StaffFact:
    found = book.staff.get(staff)
    if found is None:
        raise Unauthenticated
    return found


def _name_hash(deed: Deed, caller: Caller, username: str) -> str:
    parsed = parse_username(username)
    if parsed is None or parsed[1] != caller.association.code:
        raise Invalid([FieldError("username", "out-of-range")])
    return name_hash(deed.cabinet, *parsed)


def _require_free(deed: Deed, caller: Caller, name: str) -> None:
    waits: Iterable[StaffProposal] = waiting(deed, STAFF_PROPOSAL).values()
    if name in caller.association.books.at(deed).staff_by_name or any(each.member.name_hash == name for each in waits):
        raise Conflict


def _require_approvers(book: Book, leaving: StaffFact, now: int) -> None:
    approvers = {key for key, each in book.staff.items() if "approve" in _scopes(each) and is_engaged(each, now)}
    if leaving.id in approvers and len(approvers) <= FEWEST_APPROVERS:
        raise Conflict("last-approver")


def _scopes(member: StaffFact) -> tuple[str, ...]:
    """What an account holds, or will hold again once its person has come after a reset."""
    return member.scopes or (scopes_of(member.roles) if member.reset_at else ())


def _require_future(valid_to: int | None, now: int) -> None:
    if valid_to is not None and valid_to <= now:
        raise Invalid([FieldError("valid_to", "out-of-range")])


def _require_sound(new: NewCredentials) -> None:
    if not SHORTEST_PASSWORD <= len(new.password) <= LONGEST_PASSWORD:
        raise Invalid([FieldError("new_password", "out-of-range")])
    if _TOTP_SECRET.fullmatch(new.totp_secret) is None or len(new.totp_secret) % 8 not in _LAST_GROUPS:
        raise Invalid([FieldError("totp_secret", "out-of-range")])
