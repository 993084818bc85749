"""The succession of the keys that sign the log: each new one is a row, a fact and an entry, named by the one before it.

Invariants: a key is in force from the first size of the log that covers the entry which names it, and no checkpoint beyond that is good by
an older one alone; the keys at hand and the facts about them are the same, or nothing is opened; the key before signs on beside the new one
for 30 days, so that whoever pinned it has time to follow.
"""

from typing import Final

from sqlalchemy import Connection, insert, select

from keys.cabinet import Cabinet, signing_names
from keys.errors import Unopenable, Unsealable
from keys.keyring import SUCCEEDED, later
from keys.secret import Secret
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.errors import Unavailable
from vault.rulebook import facts
from vault.rulebook.shapes import SIGNING_KEY, SigningKeyFact
from vault.rulebook.tables import association_key

ROTATED: Final = "signing-key.rotated"
OVERLAP: Final = 30 * 24 * 3600 * 1_000_000
"""Microseconds for which the key before signs too."""


def rotate(deed: Deed, *, by: str, on_behalf: str | None = None) -> SigningKeyFact:
    """Make the next signing key of the association; in force once this deed is committed and `follow` has read it.

    `by` and `on_behalf` are whom the entry names; who may is for the caller to say. Raises Unavailable `integrity`.
    """
    connection, cabinet = deed.transaction.connection, deed.cabinet
    settle(connection, cabinet, deed.association, deed.now)
    generation = len(cabinet.signer.vkeys) + 1
    name = later(SUCCEEDED, generation)
    wrapped, first = cabinet.keys.new_named(name), deed.size + 1
    vkey, note = cabinet.signer.succession(cabinet.keys.named(name, wrapped), first)
    connection.execute(insert(association_key).values(association_id=deed.association, name=name, wrapped=wrapped))
    made = SigningKeyFact(generation=generation, vkey=vkey, first_size=first, rotated_at=deed.now, succession=note)
    written = facts.write(deed, SIGNING_KEY, vkey, made)
    deed.append(Entry(kind=ROTATED, outcome="allow", actor=by, on_behalf=on_behalf, facts=(written,)), changes_law=True)
    return made


def settle(connection: Connection, cabinet: Cabinet, association: bytes, now: int) -> None:
    """Read what keys there are by now, and from where on each is in force. Raises Unavailable `integrity` where keys and facts differ."""
    known = facts.read_known(connection, cabinet, association, SIGNING_KEY)
    told = sorted(known.values(), key=lambda one: one.generation)
    overlaps = bool(told) and now < told[-1].rotated_at + OVERLAP
    try:
        cabinet.signer.settle(_later(connection, cabinet, association), [(one.vkey, one.first_size) for one in told], overlaps=overlaps)
    except (Unopenable, Unsealable) as error:
        raise Unavailable("integrity") from error


def _later(connection: Connection, cabinet: Cabinet, association: bytes) -> list[Secret]:
    """The keys after the first. Raises Unopenable."""
    kept = select(association_key.c.name, association_key.c.wrapped).where(association_key.c.association_id == association)
    rows = {row.name: row.wrapped for row in connection.execute(kept)}
    return [cabinet.keys.named(name, rows[name]) for name in signing_names(rows)[1:]]
