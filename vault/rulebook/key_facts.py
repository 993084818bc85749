"""The facts of the association's keys: its epochs, the retired ones, the named copies of `epochs`, and what two people agreed on.

Invariant: an epoch is gone once it is retired and every named copy of that day was replaced or destroyed; until then whoever has a copy
of the database, the root key and that copy opens what was wrapped under it.
"""

from typing import Final, Literal

from sqlalchemy import Connection

from keys.cabinet import Cabinet
from vault.access_log.deed import Deed
from vault.rulebook import facts
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import Fact

EPOCH: Final = "epoch"
"""The kind of a line of the journal that says from which epoch on keys live; its reference is the number."""
MOST_COPIES: Final = 2

Act = Literal["retire", "slot-add", "slot-remove", "copy-add", "copy-remove"]
CeremonyState = Literal["proposed", "approved", "carrying-out", "carried-out", "withdrawn"]


class Copy(Fact, frozen=True):
    """A named copy of the file `epochs`, and since when (microseconds UTC)."""

    name: str
    since: int


class CopyOfThen(Fact, frozen=True):
    """A named copy of the day an epoch was retired: who said, and when, that it was replaced or destroyed since."""

    name: str
    gone_by: str = ""
    gone_at: int | None = None


class Retirement(Fact, frozen=True):
    """Every epoch below `below` was retired at this moment, by that ceremony; these copies held them then."""

    below: int
    at: int
    ceremony: str
    copies: tuple[CopyOfThen, ...] = ()

    @property
    def gone_at(self) -> int | None:
        """Since when nothing of these epochs is anywhere, None while a copy is not accounted for."""
        moments = [each.gone_at for each in self.copies]
        return None if None in moments else max([self.at, *(each for each in moments if each is not None)])


class KeysFact(Fact, frozen=True):
    """The newest epoch, the lowest one that opens, the named copies, and each retirement, oldest first."""

    newest: int = 1
    minimum: int = 1
    copies: tuple[Copy, ...] = ()
    retirements: tuple[Retirement, ...] = ()

    def retirement_of(self, epoch: int) -> Retirement | None:
        """The retirement that took this epoch, None while it lives."""
        return next((each for each in self.retirements if epoch < each.below), None)

    def gone_at(self, epoch: int) -> int | None:
        """Since when nothing opens that was wrapped under this epoch, None while something does."""
        found = self.retirement_of(epoch)
        return None if found is None else found.gone_at


class CeremonyFact(Fact, frozen=True):
    """One act on the keys that two people agree on and a third step, at the machine, carries out.

    `below` for `retire`, `name` for the others, `root` the kind of a new slot's root.
    """

    id: str
    act: Act
    proposed_by: str
    proposed_at: int
    below: int | None = None
    name: str = ""
    root: str = ""
    state: CeremonyState = "proposed"
    approved_by: str = ""
    approved_at: int | None = None
    settled_by: str = ""
    settled_at: int | None = None


KEYS: Kind[KeysFact] = Kind("keys", KeysFact, in_book=False)
CEREMONY: Kind[CeremonyFact] = Kind("key_ceremony", CeremonyFact, in_book=False)


def keys_fact(deed: Deed) -> KeysFact:
    """What the log says of the keys; one living epoch where it never said anything. Raises Unavailable `integrity`."""
    return keys_fact_from(deed.transaction.connection, deed.cabinet, deed.association)


def keys_fact_from(connection: Connection, cabinet: Cabinet, association: bytes) -> KeysFact:
    """The same outside a deed, on a connection that sees one moment."""
    return facts.read_from(connection, cabinet, association, KEYS, KEYS.name) or KeysFact()
