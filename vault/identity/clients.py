"""API clients: proposed by one person and approved by another, given new keys and made wider likewise, narrowed and revoked by one alone.

Invariants: a key is told once, when it is proposed, and opens nothing before its approval; each key is a fact of its own under its id, and
the keys of one client share the client's id and what it may; closing and narrowing are in the journal before they are answered.
"""

import os
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from typing import Final, Literal

import msgspec

from keys.tokens import ApiKey, new_api_key
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry, WrittenFact
from vault.access_log.last import last_used
from vault.errors import Conflict, FieldError, Invalid, NotFound
from vault.identity.bounds import Changes, bounded, is_within
from vault.identity.callers import Caller, client_stands, still
from vault.identity.proposals import CLIENT_PROPOSAL, ClientProposal, proposed, waiting
from vault.identity.scopes import DUTIES, require_system
from vault.identity.second_factor import SecondFactor
from vault.identity.two_people import require_two
from vault.policy.facts import INTERNAL, NEVER
from vault.rulebook import facts
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.shapes import CLIENT, ClientFact
from vault.storage.idempotency import Once, made_before, remember
from vault.storage.journal import Closing

State = Literal["proposed", "active", "expired", "revoked"]

DAY: Final = 24 * 3600 * 1_000_000
MOST_OVERLAP: Final = 7 * DAY
LASTS: Final = 365 * DAY
NARROWED: Final = "client-narrowed"
_LONGEST_NAME: Final = 100
_MOST_NETWORKS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A client as asked for; `expires_at` in microseconds UTC, None for a year from now; `types` None for every record type."""

    name: str
    party: str
    kind: Literal["interactive", "batch"]
    scopes: tuple[str, ...]
    purposes: tuple[str, ...]
    expires_at: int | None = None
    networks: tuple[str, ...] = ()
    types: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Proposed:
    """A proposal's id (hex) and its secret, told once; `already` for the repeat of a request, which is told no secret."""

    id: str
    key: str | None = field(repr=False)
    already: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """One client as people see it: what it may, how it stands, and when its newest entry was (microseconds UTC), None for none."""

    client: ClientFact
    state: State
    last_used: int | None = None
    waits: ClientProposal | None = None


@dataclass(frozen=True, slots=True)
class Clients:
    """The deeds about API clients."""

    factor: SecondFactor

    async def propose(self, caller: Caller, wanted: Wanted, request: Once | None = None) -> Proposed:
        """Propose a client and tell its key. Raises Invalid, Conflict `idempotency-mismatch`."""
        return await caller.association.run(lambda deed: _propose(deed, still(deed, caller), wanted, request))

    async def propose_key(self, caller: Caller, client: bytes, old_until: int | None, request: Once | None = None) -> Proposed:
        """Propose a new key for a client and tell it; the older one opens until `old_until` (at most seven days from now), or not at all.

        Raises NotFound, Invalid, Conflict where another proposal waits.
        """
        return await caller.association.run(lambda deed: _propose_key(deed, still(deed, caller), client.hex(), old_until, request))

    async def change(self, caller: Caller, client: bytes, changes: Changes) -> Literal["narrowed", "proposed", "unchanged"]:
        """Change what a client may under all its keys: at once where it is narrower in every respect, else proposed to another person.

        Raises NotFound, Invalid, Conflict where it would be wider and another proposal waits; a narrower one takes that proposal back.
        """
        done = await caller.association.run(lambda deed: _change(deed, still(deed, caller), client.hex(), changes))
        await caller.association.refresh()
        return done

    async def approve(self, caller: Caller, client: bytes, code: str | None, change: str | None = None) -> None:
        """Approve what another person proposed: from this answer on the key opens, or the change holds that `change` (hex) names.

        Raises NotFound, Conflict, also where another change waits than was seen, refusals `same-person` and `step-up-required`, Invalid
        where what it rests on is gone, TooMany.
        """
        association = caller.association
        await heard(
            Errand(caller, ""), lambda: association.run(lambda deed: self._approve(deed, still(deed, caller), client.hex(), code, change))
        )
        await caller.association.refresh()

    async def revoke(self, caller: Caller, client: bytes) -> None:
        """Revoke a client, all its keys and what waits for approval: from this answer on none of them opens. Raises NotFound."""
        await caller.association.run(lambda deed: _revoke(deed, still(deed, caller), client.hex()))
        await caller.association.refresh()

    async def listed(self, caller: Caller) -> list[Listed]:
        """Return every client, by id; a client with several keys once, as its best key stands."""
        return await caller.association.run(lambda deed: _listed(deed, still(deed, caller)))

    def _approve(self, deed: Deed, caller: Caller, client: str, code: str | None, change: str | None) -> None:
        kind = "client.approved"
        book = caller.association.books.at(deed)
        proposal = proposed(deed, CLIENT_PROPOSAL, client)
        if proposal.change and change is None:
            raise Invalid([FieldError("proposal", "missing")])
        if proposal.change != (change or ""):
            raise Conflict
        require_two(book, proposal.proposed_by, caller, kind)
        _require_ground(book, proposal.client, deed.now)
        approval = self.factor.approve(deed, caller, code, kind=kind)
        settled = msgspec.structs.replace(proposal, state="approved", settled_by=caller.ref)
        written = [facts.write(deed, CLIENT_PROPOSAL, client, settled)]
        closes = None
        if proposal.change:
            before = _newest(book, client, deed.now)
            written += _bound(deed, book, client, proposal.client)
            # What is wider in one respect may be narrower in another: that must not come back either.
            closes = None if is_within(before, proposal.client) else Closing(NARROWED, client)
        else:
            if proposal.old_until is not None:
                _end_older(deed, book, caller, client, proposal.old_until)
            written.append(facts.write(deed, CLIENT, proposal.key, proposal.client))
        entry = Entry(kind=kind, outcome="allow", actor=caller.ref, facts=(*approval.facts, *written), flags=approval.flags)
        deed.append(entry, changes_law=True, closes=closes)


def _propose(deed: Deed, caller: Caller, wanted: Wanted, request: Once | None) -> Proposed:
    made = made_before(deed.transaction, deed.association, request) if request else None
    if made is not None:
        return Proposed(made.hex(), None, already=True)
    key = new_api_key(caller.association.code)
    client = ClientFact(
        id=os.urandom(16).hex(),
        name=wanted.name,
        party=wanted.party,
        kind=wanted.kind,
        scopes=require_system(wanted.scopes, internal=wanted.party == INTERNAL),
        purposes=tuple(sorted(set(wanted.purposes))),
        secret_hash=_secret_hash(deed, key),
        networks=_networks(wanted.networks),
        expires_at=deed.now + LASTS if wanted.expires_at is None else wanted.expires_at,
        types=None if wanted.types is None else tuple(sorted(set(wanted.types))),
        made_by=caller.ref,
    )
    if not 0 < len(client.name) <= _LONGEST_NAME or not client.name.isprintable():
        raise Invalid([FieldError("name", "out-of-range")])
    _require_ground(caller.association.books.at(deed), client, deed.now)
    return _keep(deed, caller, client, key, old_until=None, request=request)


def _propose_key(deed: Deed, caller: Caller, client: str, old_until: int | None, request: Once | None) -> Proposed:
    made = made_before(deed.transaction, deed.association, request) if request else None
    if made is not None:
        return Proposed(made.hex(), None, already=True)
    until = deed.now if old_until is None else old_until
    if until > deed.now + MOST_OVERLAP:
        raise Invalid([FieldError("old_valid_until", "out-of-range")])
    book = caller.association.books.at(deed)
    newest = _newest(book, client, deed.now)
    earlier = facts.read(deed, CLIENT_PROPOSAL, client)
    if earlier is not None and earlier.state == "proposed":
        raise Conflict
    key = new_api_key(caller.association.code)
    again = msgspec.structs.replace(newest, secret_hash=_secret_hash(deed, key), ceremony=False, made_by=caller.ref)
    return _keep(deed, caller, again, key, old_until=until, request=request)


def _newest(book: Book, client: str, now: int) -> ClientFact:
    """The client under the key with the latest end, which is the one in force. Raises NotFound where none opens."""
    standing = [each for each in _keys_of(book, client).values() if client_stands(book, each, now)]
    if not standing:
        raise NotFound
    return max(standing, key=lambda each: each.expires_at or NEVER)


def _change(deed: Deed, caller: Caller, client: str, changes: Changes) -> Literal["narrowed", "proposed", "unchanged"]:
    book = caller.association.books.at(deed)
    before = _newest(book, client, deed.now)
    after = changes.of(before)
    after = msgspec.structs.replace(
        after, scopes=require_system(after.scopes, internal=after.party == INTERNAL), networks=_networks(after.networks)
    )
    _require_ground(book, after, deed.now)
    if after == before:
        return "unchanged"
    earlier = facts.read(deed, CLIENT_PROPOSAL, client)
    waits = earlier is not None and earlier.state == "proposed"
    if not is_within(after, before):
        if waits:
            raise Conflict
        proposal = ClientProposal(key="", client=after, proposed_by=caller.ref, proposed_at=deed.now, change=os.urandom(16).hex())
        written = (facts.write(deed, CLIENT_PROPOSAL, client, proposal),)
        deed.append(Entry(kind="client.change-proposed", outcome="allow", actor=caller.ref, facts=written, flags=caller.flags))
        return "proposed"
    narrowed = _bound(deed, book, client, after)
    if earlier is not None and waits:
        # It was made of what the client was before, so that its approval would bring that back.
        withdrawn = msgspec.structs.replace(earlier, state="withdrawn", settled_by=caller.ref)
        narrowed.append(facts.write(deed, CLIENT_PROPOSAL, client, withdrawn))
    told = Entry(kind="client.narrowed", outcome="allow", actor=caller.ref, facts=tuple(narrowed), flags=caller.flags)
    deed.append(told, changes_law=True, closes=Closing(NARROWED, client))
    return "narrowed"


def _bound(deed: Deed, book: Book, client: str, bounds: ClientFact) -> list[WrittenFact]:
    """Write what a client may under each of its keys that opens; the newest key ends when the client does, the others no later."""
    bounds = msgspec.structs.replace(bounds, changed_at=deed.now)
    newest, last = _newest(book, client, deed.now), bounds.expires_at or NEVER
    written = []
    for key, each in _keys_of(book, client).items():
        if client_stands(book, each, deed.now):
            end = last if each == newest else min(each.expires_at or NEVER, last)
            fact = msgspec.structs.replace(bounded(each, bounds), expires_at=None if end == NEVER else end)
            written.append(facts.write(deed, CLIENT, key, fact))
    return written


def _keep(
    deed: Deed,
    caller: Caller,
    client: ClientFact,
    key: ApiKey,
    *,
    old_until: int | None,
    request: Once | None,
) -> Proposed:
    proposal = ClientProposal(key=key.id, client=client, proposed_by=caller.ref, proposed_at=deed.now, old_until=old_until)
    written = facts.write(deed, CLIENT_PROPOSAL, client.id, proposal)
    kind = "client.proposed" if old_until is None else "client.key-proposed"
    deed.append(Entry(kind=kind, outcome="allow", actor=caller.ref, facts=(written,), flags=caller.flags))
    if request:
        remember(deed.transaction, deed.association, request, bytes.fromhex(client.id), 201)
    return Proposed(client.id, key.text)


def _end_older(deed: Deed, book: Book, caller: Caller, client: str, until: int) -> None:
    """End the client's older keys at `until` or now, whichever is later; each end is a line of the journal of its own."""
    until = max(until, deed.now)
    for key, old in _keys_of(book, client).items():
        if not client_stands(book, old, deed.now):
            continue
        end = until if old.expires_at is None else min(until, old.expires_at)
        ended = msgspec.structs.replace(old, expires_at=end, revoked_at=deed.now if end <= deed.now else None)
        entry = Entry(kind="client.key-ended", outcome="allow", actor=caller.ref, facts=(facts.write(deed, CLIENT, key, ended),))
        deed.append(entry, changes_law=True, closes=Closing("client-key", key, str(end)))


def _revoke(deed: Deed, caller: Caller, client: str) -> None:
    book = caller.association.books.at(deed)
    proposal = facts.read(deed, CLIENT_PROPOSAL, client)
    keys = _keys_of(book, client)
    if not keys and proposal is None:
        raise NotFound
    written = [
        facts.write(deed, CLIENT, key, msgspec.structs.replace(each, revoked_at=deed.now))
        for key, each in keys.items()
        if each.revoked_at is None
    ]
    if proposal is not None and proposal.state == "proposed":
        withdrawn = msgspec.structs.replace(proposal, state="withdrawn", settled_by=caller.ref)
        written.append(facts.write(deed, CLIENT_PROPOSAL, client, withdrawn))
    entry = Entry(kind="client.revoked", outcome="allow", actor=caller.ref, facts=tuple(written), flags=caller.flags)
    deed.append(entry, changes_law=True, closes=Closing("client", client))


def _listed(deed: Deed, caller: Caller) -> list[Listed]:
    book = caller.association.books.at(deed)
    # Later lines win: what waits for approval, over it keys that ended, over them a key that opens.
    seen = {each.client.id: Listed(each.client, "proposed") for each in waiting(deed, CLIENT_PROPOSAL).values()}
    waits = {client: each for client, each in waiting(deed, CLIENT_PROPOSAL).items() if each.change}
    standing = {key for key, each in book.clients.items() if client_stands(book, each, deed.now)}
    for key in sorted(book.clients, key=lambda each: each in standing):
        client = book.clients[key]
        seen[client.id] = Listed(client, "active" if key in standing else "expired" if client.revoked_at is None else "revoked")
    used = last_used(deed, [f"client:{client}" for client in seen])
    return [replace(seen[client], last_used=used.get(f"client:{client}"), waits=waits.get(client)) for client in sorted(seen)]


def _require_ground(book: Book, client: ClientFact, now: int) -> None:
    """What a client rests on stands: its party, its purposes, and an end that is still to come."""
    recipient = book.recipients.get(client.party)
    if client.party != INTERNAL and (recipient is None or recipient.revoked_at is not None):
        raise Invalid([FieldError("party", "out-of-range")])
    beyond = [code for code in client.purposes if code not in book.purposes or (code in DUTIES | {"intake"} and code not in client.scopes)]
    if beyond or not client.purposes:
        raise Invalid([FieldError("purposes", "out-of-range")])
    if client.types is not None and (not client.types or not book.types.keys() >= set(client.types)):
        raise Invalid([FieldError("record_types", "out-of-range")])
    if client.expires_at is not None and client.expires_at <= now:
        raise Invalid([FieldError("expires_at", "out-of-range")])


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    if len(texts) > _MOST_NETWORKS:
        raise Invalid([FieldError("networks", "out-of-range")])
    try:
        return tuple(sorted({str(ip_network(text)) for text in texts}))
    except ValueError:
        raise Invalid([FieldError("networks", "out-of-range")]) from None


def _keys_of(book: Book, client: str) -> dict[str, ClientFact]:
    return {key: each for key, each in book.clients.items() if each.id == client}


def _secret_hash(deed: Deed, key: ApiKey) -> str:
    return deed.cabinet.pepper.hash("key", key.secret).hex()
