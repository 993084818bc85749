"""Sessions of people: password and one-time code in, a token out; read from the database each time it is shown.

Invariants: a name nobody has costs the same work as a wrong password, and both, a wrong code and an ended account get one answer; limits
are asked before any hashing, and a stranger's few tries shut nobody out elsewhere, nor those of a crowd a network somebody works in;
hashing runs in threads of its own, one of them for networks from which somebody signed in lately; a session lasts eight hours at most,
whatever is done with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from keys import passwords
from keys.tokens import new_session_token
from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import Entry
from vault.errors import TooMany, Unauthenticated, VaultError
from vault.identity.callers import Caller, is_engaged, session_hash, still
from vault.identity.hashing import Hashers, Lane, Regulars
from vault.identity.names import name_hash, parse_username
from vault.identity.second_factor import RECOVERY, WRONG_AN_HOUR, SecondFactor
from vault.rulebook import facts
from vault.rulebook.association import Association
from vault.rulebook.shapes import SESSION, SessionFact, StaffFact
from vault.storage.journal import Closing
from vault.web.limits import Limits

LIFETIME: Final = 8 * 3600 * 1_000_000
STEPPED_UP: Final = 5 * 60 * 1_000_000
PER_ACCOUNT_AND_NETWORK: Final = (10, 0.1)
PER_ACCOUNT: Final = (200, 2.0)
PER_NETWORK: Final = (100, 2.0)
CODES_GUESSED: Final = "CODES_GUESSED"
_LONGEST_PASSWORD: Final = 1024


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session: its token, told once, and when it ends (microseconds UTC).

    `recovery_left` is how many recovery codes are left, where one opened it.
    """

    token: str
    expires_at: int
    recovery_left: int | None = None

    def __repr__(self) -> str:
        """Tell when it ends and not the token."""
        return f"Opened(expires_at={self.expires_at})"


class Sessions:
    """Opens, steps up and ends the sessions of every association in this process."""

    def __init__(self, associations: Mapping[str, Association], limits: Limits, factor: SecondFactor, regulars: Regulars) -> None:
        """Serve these associations, by code; the mapping may grow. `regulars` are known to this process."""
        self._associations = associations
        self._limits = limits
        self._factor = factor
        self._regulars = regulars
        self._hashers = Hashers(regulars)

    async def sign_in(self, username: str, password: str, code: str, *, network: str) -> Opened:
        """Open a session for this user name (`name@association`), password and one-time code.

        Raises Unauthenticated for whatever does not fit, TooMany by account, by network and by both together, Unavailable `busy`.
        """
        parsed = parse_username(username)
        account = "@".join(parsed) if parsed else "nobody"
        self._limits.take("sign-in-network", network, *PER_NETWORK)
        self._limits.take("sign-in-account-network", f"{account} {network}", *PER_ACCOUNT_AND_NETWORK)
        # Of those from strange networks, however many they are, none counts where somebody is known.
        among = "known" if self._regulars.knows(network) else "strangers"
        self._limits.take("sign-in-account", f"{account} {among}", *PER_ACCOUNT)
        association = self._associations.get(parsed[1]) if parsed else None
        member = await _member(association, parsed[0]) if association is not None and parsed is not None else None
        lane = self._hashers.lane(network)
        if not await self._check(member, password, lane, network) or association is None or member is None:
            raise Unauthenticated
        checked = member
        opened = await association.run(lambda deed: self._open(deed, association, checked, code))
        if isinstance(opened, VaultError):
            raise opened
        self._regulars.saw(network)
        return opened

    async def sign_out(self, caller: Caller) -> None:
        """End the caller's session; from this answer on its token opens nothing."""
        await caller.association.run(lambda deed: _end(deed, still(deed, caller)))

    async def step_up(self, caller: Caller, code: str) -> int:
        """Open five minutes in which the caller's session approves; return their end. Raises a refusal `step-up-required`, TooMany."""
        return await caller.association.run(lambda deed: self._step_up(deed, still(deed, caller), code))

    async def hash_password(self, password: str) -> str:
        """Hash a new password in the threads kept for that. Raises Unavailable `busy`."""
        return await self._hashers.reserved.run(lambda: passwords.hash_password(password))

    async def matches(self, member: StaffFact, password: str) -> bool:
        """Say whether the password is this person's, in the threads kept for that. Raises Unavailable `busy`."""
        return await self._check(member, password, self._hashers.reserved)

    def guessed(self, deed: Deed, association: Association, member: StaffFact, answer: VaultError) -> VaultError:
        """Ring the alarm where somebody who has the right password guesses codes; the answer, to be given and raised outside the deed."""
        who = f"staff:{member.id}"
        if self._factor.guesses.is_alarming(who):
            article = f"{association.books.at(deed).association.pack}:7"
            deed.append(Entry(kind="alarm", outcome="error", actor=who, reason=CODES_GUESSED, article=article, count=WRONG_AN_HOUR + 1))
        return answer

    def close(self) -> None:
        """Let the hashing threads end."""
        self._hashers.close()

    @staticmethod
    async def _check(member: StaffFact | None, password: str, lane: Lane, network: str = "") -> bool:
        shown = password[:_LONGEST_PASSWORD]
        if member is None:
            await lane.run(lambda: passwords.burn(shown), network)
            return False
        stored = member.password_hash
        return await lane.run(lambda: passwords.check_password(stored, shown), network)

    def _open(self, deed: Deed, association: Association, checked: StaffFact, code: str) -> Opened | VaultError:
        """A session, or what is answered instead: given, not raised, for a deed that raises leaves no entry of its alarm."""
        member = association.books.at(deed).staff.get(checked.id)
        # The password was checked outside this deed: an account that moved since is not the one that was checked.
        if member is None or member.password_hash != checked.password_hash or not is_engaged(member, deed.now):
            raise Unauthenticated
        recovered = None
        try:
            used = self._factor.use(deed, member, code, signing_in=True)
            if used is None:
                used = recovered = self._factor.use_recovery(deed, member, code, signing_in=True)
        except TooMany as full:
            return self.guessed(deed, association, member, full)
        if used is None:
            return self.guessed(deed, association, member, Unauthenticated())
        token = new_session_token(association.code)
        session = SessionFact(
            id=token.id,
            staff=member.id,
            secret_hash=session_hash(deed.cabinet, member, token.secret).hex(),
            expires_at=deed.now + LIFETIME,
        )
        written = facts.write(deed, SESSION, token.id, session)
        flags = (*(("ceremony",) if member.ceremony else ()), *(("recovery-code",) if recovered else ()))
        deed.append(Entry(kind="session.opened", outcome="allow", actor=f"staff:{member.id}", facts=(used, written), flags=flags))
        kept = facts.read(deed, RECOVERY, member.id) if recovered else None
        return Opened(token.text, session.expires_at, len(kept.hashes) if kept else None)

    def _step_up(self, deed: Deed, caller: Caller, code: str) -> int:
        book = caller.association.books.at(deed)
        used = self._factor.use(deed, book.staff[caller.id], code)
        if used is None:
            article = f"{book.association.pack}:7"
            raise EntryRefusal(
                Entry(kind="session.stepped-up", outcome="refuse", actor=caller.ref, reason="STEP_UP_REQUIRED", article=article),
            )
        session = _session(deed, caller)
        until = min(deed.now + STEPPED_UP, session.expires_at)
        written = facts.write(deed, SESSION, session.id, msgspec.structs.replace(session, stepped_up_until=until))
        deed.append(Entry(kind="session.stepped-up", outcome="allow", actor=caller.ref, facts=(used, written), flags=caller.flags))
        return until


async def _member(association: Association, name: str) -> StaffFact | None:
    book = await association.refresh()
    key = book.staff_by_name.get(name_hash(association.cabinet, name, association.code))
    return book.staff[key] if key else None


def _end(deed: Deed, caller: Caller) -> None:
    session = _session(deed, caller)
    written = facts.write(deed, SESSION, session.id, msgspec.structs.replace(session, ended_at=deed.now))
    # It moves the law, so that a call of this session that is under way looks again inside its own deed.
    deed.append(
        Entry(kind="session.ended", outcome="allow", actor=caller.ref, facts=(written,)),
        changes_law=True,
        closes=Closing("session", session.id),
    )


def _session(deed: Deed, caller: Caller) -> SessionFact:
    found = facts.read(deed, SESSION, caller.session or "")
    if found is None or found.ended_at is not None:
        raise Unauthenticated
    return found
