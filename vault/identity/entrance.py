"""The door of every call: from a token to a caller, or to nobody.

Invariants: a key is compared in constant time with its keyed hash; keys are looked up in the newest book this process knows and, on a miss,
in one read again; a session is read from the database each time, so its end bites at once; what a stranger shows is bounded before it
costs a transaction, and nothing of it is written anywhere.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final

from keys.errors import Unopenable
from keys.tokens import ApiKey, SessionToken, parse_api_key, parse_session_token
from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import Entry
from vault.errors import Malformed, NotFound, Refused
from vault.identity.callers import Caller, at_the_screen, client_caller, client_stands, may, out_of_scope_entry, person_in, session_hash
from vault.identity.hashing import Regulars
from vault.rulebook import facts
from vault.rulebook.alarm import too_many
from vault.rulebook.asker import Errand
from vault.rulebook.association import Association
from vault.rulebook.book import Book
from vault.rulebook.shapes import SESSION, ClientFact
from vault.web import Call, Public, parse_id
from vault.web.limits import Limits

UNKNOWN: Final = (100, 10.0)
MOST_KNOWN: Final = 10_000
_NO_HASH: Final = bytes(32)

Networks = tuple[IPv4Network | IPv6Network, ...]


@dataclass(frozen=True, slots=True)
class _Seat:
    """A client's key under one book, ready to be compared; `callers` by the scope of the route."""

    book: Book
    client: ClientFact
    secret_hash: bytes
    networks: Networks
    callers: dict[str, Caller]


class Entrance:
    """Knows every association that is open in this process, and who comes in."""

    def __init__(self, associations: Mapping[str, Association], limits: Limits, regulars: Regulars | None = None) -> None:
        """Let in to these associations, by code; the mapping may grow. `limits` bounds strangers' tries, `regulars` learns who is none."""
        self.associations = associations
        self._limits = limits
        self._regulars = regulars or Regulars(limits.now)
        self._seats: dict[tuple[str, str], _Seat] = {}
        self._known: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    async def authenticate(self, token: str | None, call: Call) -> Caller | None:
        """Return who asks, None for nobody the vault knows.

        Raises a refusal `not-acknowledged` or `engagement-ended` for the person an interactive client names (article 2), Malformed where a
        batch client names one, TooMany where a network tries too many unknown tokens.
        """
        needs = "" if isinstance(call.route.access, Public) else call.route.access.scope
        if token is None:
            return None
        try:
            if token.startswith("amn_"):
                return await self._by_key(parse_api_key(token), call, needs)
            return await self._by_session(parse_session_token(token), call, needs)
        except Unopenable:
            return None

    async def out_of_scope(self, call: Call) -> Refused:
        """Append the entry of a call its caller may not make and return the refusal.

        Beyond a limit for each caller refusals are counted, and the next entry tells how many. Raises TooMany there.
        """
        caller: Caller = call.caller
        entry = out_of_scope_entry(await caller.association.book(), caller, door=call.route.name)
        return await self._turned_away(Errand(caller, call.request_id), entry)

    may = staticmethod(may)

    async def _by_key(self, key: ApiKey, call: Call, needs: str) -> Caller | None:
        association = self.associations.get(key.association)
        if association is None:
            return None
        seat = self._seat(association, association.books.latest or await association.refresh(), key.id)
        if seat is None:
            self._limits.take("unknown-tokens", call.neighbourhood, *UNKNOWN)
            seat = self._seat(association, await association.refresh(), key.id)
        matches = association.cabinet.pepper.matches("key", key.secret, seat.secret_hash if seat else _NO_HASH)
        if (
            seat is None
            or not matches
            or not client_stands(seat.book, seat.client, call.now)
            or not _is_within(call.network, seat.networks)
        ):
            return None
        caller = seat.callers.get(needs)
        if caller is None:
            caller = seat.callers[needs] = client_caller(association, seat.book, key.id, seat.client, needs)
        if seat.client.kind == "batch":
            if call.header("amanah-on-behalf-of") is not None:
                raise Malformed
            return caller
        return await self._at_the_screen(seat.book, caller, call)

    async def _at_the_screen(self, book: Book, caller: Caller, call: Call) -> Caller:
        staff = _staff_id(call.on_behalf)
        found = at_the_screen(book, caller, staff, call.now)
        if isinstance(found, Entry):
            # The book may be older than the person's acknowledgement: it is read again before she is turned away.
            found = at_the_screen(await caller.association.refresh(), caller, staff, call.now)
        if isinstance(found, Entry):
            raise await self._turned_away(Errand(caller, call.request_id), found)
        return found

    @staticmethod
    async def _turned_away(errand: Errand, entry: Entry) -> Refused:
        """The refusal, its entry committed. Raises TooMany where this caller is refused too often: an entry will count it."""
        association, ref = errand.asker.association, errand.asker.ref
        await association.refusals.admit(ref, lambda: too_many(errand))
        association.refusals.refused(ref)
        return await refusal_of(association, entry)

    async def _by_session(self, token: SessionToken, call: Call, needs: str) -> Caller | None:
        association = self.associations.get(token.association)
        if association is None:
            return None
        place, shown = (token.association, token.id), association.cabinet.pepper.hash("known-session", token.secret)
        if not compare_digest(self._known.get(place, _NO_HASH), shown):
            # Taken before the database is asked, so that a stranger's try costs no transaction; a token once let in asks no limit.
            self._limits.take("unknown-tokens", call.neighbourhood, *UNKNOWN)
        found = await association.run(lambda deed: _signed_in(deed, association, token, needs))
        self._keep_known(place, shown if found else None)
        if found:
            self._regulars.saw(call.neighbourhood)
        return found

    def _keep_known(self, place: tuple[str, str], shown: bytes | None) -> None:
        """Remember the hash of a token that was let in, so that its next use asks no limit; forget one that was not."""
        if shown is None:
            self._known.pop(place, None)
            return
        self._known[place] = shown
        self._known.move_to_end(place)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    def _seat(self, association: Association, book: Book, key: str) -> _Seat | None:
        place = (association.code, key)
        seat = self._seats.get(place)
        if seat is not None and seat.book is book:
            return seat
        client = book.clients.get(key)
        if client is None:
            self._seats.pop(place, None)
            return None
        networks = tuple(ip_network(text) for text in client.networks)
        seat = self._seats[place] = _Seat(book, client, bytes.fromhex(client.secret_hash), networks, {})
        return seat


async def refusal_of(association: Association, entry: Entry) -> Refused:
    """Append the entry of a refusal and return the refusal once it is committed."""
    refusal = EntryRefusal(entry)
    refusal.leaf_hash = (await association.run(lambda deed: deed.append(entry))).leaf_hash
    return refusal


def _signed_in(deed: Deed, association: Association, token: SessionToken, needs: str) -> Caller | None:
    session = facts.read(deed, SESSION, token.id)
    member = association.books.at(deed).staff.get(session.staff) if session else None
    if session is None or member is None:
        return None
    matches = compare_digest(session_hash(deed.cabinet, member, token.secret), bytes.fromhex(session.secret_hash))
    return person_in(deed, association, session, needs) if matches else None


def _staff_id(text: str | None) -> str | None:
    """The hex id of the header's UUID, None for what is none: a name nobody has."""
    try:
        return parse_id(text).hex() if text else None
    except NotFound:
        return None


def _is_within(text: str, networks: Networks) -> bool:
    if not networks:
        return True
    try:
        address: Any = ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in networks)
