"""When the second factor or the password is lost: ten codes a person keeps on paper, and a reset by two other people.

Invariants: a recovery code opens a session or sets new credentials, once, and approves nothing; after a reset the account is as on its
first day, so that it holds no scope before its person has come with secrets of her own; of the new first secrets one half is told to each
of two people, neither of whom is the person or made the other's account; a reset is in the journal before it is committed.
"""

import secrets
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from keys.one_time_codes import new_secret
from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import Entry
from vault.errors import Conflict, NotFound, Unauthenticated, VaultError
from vault.identity.callers import Caller, is_engaged, still
from vault.identity.own_sessions import shut_sessions
from vault.identity.second_factor import RECOVERY, RecoveryFact, SecondFactor, recovery_hash, shut_codes
from vault.identity.sessions import Sessions
from vault.identity.staff import HALF_BYTES
from vault.identity.two_people import require_two
from vault.rulebook import facts
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import STAFF, Fact, StaffFact
from vault.rulebook.two_people import STAFF as STAFF_REF
from vault.rulebook.two_people import accounts_of
from vault.storage.journal import Closing

CODES: Final = 10
GROUPS, LETTERS = 4, 6
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is read for another; 24 of them are 120 bits."""
MADE: Final = "staff.recovery-codes-made"
PROPOSED: Final = "staff.reset-proposed"
RESET_DONE: Final = "staff.reset"


class ResetFact(Fact, frozen=True):
    """A reset as proposed; what is secret of it waits here for whoever approves it, and is taken out when it is settled."""

    staff: str
    proposed_by: str
    proposed_at: int
    state: Literal["proposed", "approved"] = "proposed"
    settled_by: str = ""
    password_hash: str = ""
    password_end: str = ""
    totp_secret: str = ""


RESET: Kind[ResetFact] = Kind("staff_reset", ResetFact, in_book=False)


@dataclass(frozen=True, slots=True)
class Reset:
    """What whoever approved a reset hands to the person: the end of the first password, and the first code secret."""

    password_end: str = field(repr=False)
    totp_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Recovery:
    """The deeds about secrets that were lost."""

    factor: SecondFactor
    sessions: Sessions

    async def make_codes(self, caller: Caller, password: str, code: str) -> tuple[str, ...]:
        """Make ten recovery codes in the place of those there are. Raises Unauthenticated for a wrong password or code, TooMany."""
        member = (await caller.association.refresh()).staff[caller.id]
        self.factor.guesses.take(caller.ref)
        if not await self.sessions.matches(member, password):
            raise Unauthenticated
        made = tuple(_code() for _ in range(CODES))
        wrong = await caller.association.run(lambda deed: self._keep(deed, still(deed, caller), member, code, made))
        if wrong is not None:
            raise wrong
        return made

    async def propose(self, caller: Caller, staff: bytes) -> str:
        """Propose to reset somebody's secrets and tell the beginning of her new first password; it replaces what was proposed.

        Raises NotFound for nobody with an engagement that lasts, and the refusal `same-person` for oneself.
        """
        start, end = (secrets.token_urlsafe(HALF_BYTES) for _ in range(2))
        hashed = await self.sessions.hash_password(start + end)
        association = caller.association
        proposal = ResetFact(staff=staff.hex(), proposed_by="", proposed_at=0, password_hash=hashed, password_end=end)
        await heard(Errand(caller, ""), lambda: association.run(lambda deed: _propose(deed, still(deed, caller), proposal)))
        return start

    async def approve(self, caller: Caller, staff: bytes, code: str | None) -> Reset:
        """Approve a reset that another person proposed: every session of hers ends, and her old secrets open nothing.

        Raises NotFound, Conflict, refusals `same-person` and `step-up-required`, TooMany.
        """
        association = caller.association
        told = await heard(
            Errand(caller, ""), lambda: association.run(lambda deed: self._approve(deed, still(deed, caller), staff.hex(), code))
        )
        await association.refresh()
        return told

    def _keep(self, deed: Deed, caller: Caller, checked: StaffFact, code: str, made: tuple[str, ...]) -> VaultError | None:
        """Nothing, or what is answered for a wrong code: given, not raised, for a deed that raises leaves no entry of its alarm."""
        member = caller.association.books.at(deed).staff[caller.id]
        if not member.scopes:
            # Whoever made the account may hold this session: codes made now would outlast its first secrets.
            raise Conflict("credentials-first")
        if member.password_hash != checked.password_hash:
            raise Unauthenticated
        used = self.factor.use(deed, member, code)
        if used is None:
            return self.sessions.guessed(deed, caller.association, member, Unauthenticated())
        hashes = tuple(recovery_hash(deed.cabinet, member.id, each) for each in made)
        written = facts.write(deed, RECOVERY, member.id, RecoveryFact(hashes=hashes, made_at=deed.now))
        deed.append(Entry(kind=MADE, outcome="allow", actor=caller.ref, facts=(used, written), flags=caller.flags))
        return None

    def _approve(self, deed: Deed, caller: Caller, staff: str, code: str | None) -> Reset:
        book = caller.association.books.at(deed)
        proposal, member = facts.read(deed, RESET, staff), _engaged(deed, caller, staff)
        if proposal is None:
            raise NotFound
        if proposal.state != "proposed":
            raise Conflict
        _require_another(book, caller, staff, RESET_DONE)
        require_two(book, proposal.proposed_by, caller, RESET_DONE)
        approval = self.factor.approve(deed, caller, code, kind=RESET_DONE)
        anew = msgspec.structs.replace(
            member,
            password_hash=proposal.password_hash,
            totp_secret=proposal.totp_secret,
            scopes=(),
            reset_at=deed.now,
        )
        settled = msgspec.structs.replace(
            proposal, state="approved", settled_by=caller.ref, password_hash="", password_end="", totp_secret=""
        )
        written = (facts.write(deed, STAFF, staff, anew), facts.write(deed, RESET, staff, settled))
        ended = (*shut_sessions(deed, f"staff:{staff}"), *shut_codes(deed, staff))
        entry = Entry(kind=RESET_DONE, outcome="allow", actor=caller.ref, facts=(*approval.facts, *written, *ended), flags=approval.flags)
        deed.append(entry, changes_law=True, closes=Closing("credentials", staff))
        return Reset(proposal.password_end, proposal.totp_secret)


def _propose(deed: Deed, caller: Caller, proposal: ResetFact) -> None:
    _engaged(deed, caller, proposal.staff)
    _require_another(caller.association.books.at(deed), caller, proposal.staff, PROPOSED)
    made = msgspec.structs.replace(proposal, proposed_by=caller.ref, proposed_at=deed.now, totp_secret=new_secret())
    written = facts.write(deed, RESET, proposal.staff, made)
    deed.append(Entry(kind=PROPOSED, outcome="allow", actor=caller.ref, facts=(written,), flags=caller.flags))


def _engaged(deed: Deed, caller: Caller, staff: str) -> StaffFact:
    member = caller.association.books.at(deed).staff.get(staff)
    if member is None or not is_engaged(member, deed.now):
        raise NotFound
    return member


def _require_another(book: Book, caller: Caller, staff: str, kind: str) -> None:
    """Refuse `same-person` to whoever would reset her own secrets, by any account of hers: she sets them herself, or others do."""
    if f"{STAFF_REF}{staff}" in accounts_of(book, [caller.ref]):
        article = f"{caller.association.pack}:7"
        raise EntryRefusal(
            Entry(kind=kind, outcome="refuse", actor=caller.ref, reason="SAME_PERSON", article=article, flags=caller.flags),
        )


def _code() -> str:
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(LETTERS)) for _ in range(GROUPS))
