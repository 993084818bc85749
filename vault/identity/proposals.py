"""What one person proposed and another approves: clients, new keys, accounts, purposes and record types before they count.

A proposal is a fact outside the book: nothing in it opens a door until an approval writes what it proposes into the book.
"""

from typing import Literal, TypeVar

import msgspec

from vault.access_log.deed import Deed
from vault.errors import Conflict, NotFound
from vault.rulebook import facts
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import ClientFact, Fact, PurposeFact, RecordTypeFact, StaffFact

State = Literal["proposed", "approved", "withdrawn"]


class ClientProposal(Fact, frozen=True):
    """A client as proposed, or a new key for one; `key` is the id of its machine key and its place in the book.

    `old_until` is None for a new client; for a new key it is the moment until which the older key still opens, in microseconds UTC. Where
    `change` is set it is a change of what a client may, under all its keys; `change` names this wording of it.
    """

    key: str
    client: ClientFact
    proposed_by: str
    proposed_at: int
    old_until: int | None = None
    state: State = "proposed"
    settled_by: str = ""
    change: str = ""


class StaffProposal(Fact, frozen=True):
    """An account as proposed; `password_end` waits here for whoever approves it, and is taken out when the proposal is settled."""

    member: StaffFact
    proposed_by: str
    proposed_at: int
    state: State = "proposed"
    settled_by: str = ""
    password_end: str = ""


class PurposeProposal(Fact, frozen=True):
    """A purpose as it is to be laid down; `id` names this wording of it, so that an approval is of what was seen."""

    id: str
    purpose: PurposeFact
    proposed_by: str
    proposed_at: int
    state: State = "proposed"
    settled_by: str = ""
    settled_at: int = 0


class TypeProposal(Fact, frozen=True):
    """A record type as it is to be laid down; `id` as above. The schema number of a new type is settled by its approval."""

    id: str
    record_type: RecordTypeFact
    proposed_by: str
    proposed_at: int
    state: State = "proposed"
    settled_by: str = ""
    settled_at: int = 0


CLIENT_PROPOSAL: Kind[ClientProposal] = Kind("client_proposal", ClientProposal, in_book=False)
STAFF_PROPOSAL: Kind[StaffProposal] = Kind("staff_proposal", StaffProposal, in_book=False)

PURPOSE_PROPOSAL: Kind[PurposeProposal] = Kind("purpose_proposal", PurposeProposal, in_book=False)
TYPE_PROPOSAL: Kind[TypeProposal] = Kind("record_type_proposal", TypeProposal, in_book=False)

P = TypeVar("P", ClientProposal, StaffProposal, PurposeProposal, TypeProposal)


def waiting(deed: Deed, kind: Kind[P]) -> dict[str, P]:
    """Return the proposals of this kind that wait for approval, by id. Raises Unavailable `integrity`."""
    found = facts.read_all(deed.transaction.connection, deed.cabinet, deed.association, {kind.name}).get(kind.name, {})
    decoded = {key: msgspec.json.decode(value, type=kind.shape) for key, value in found.items()}
    return {key: each for key, each in decoded.items() if each.state == "proposed"}


def proposed(deed: Deed, kind: Kind[P], key: str) -> P:
    """Return the proposal that waits under this id. Raises NotFound where there never was one, Conflict where it is settled."""
    found = facts.read(deed, kind, key)
    if found is None:
        raise NotFound
    if found.state != "proposed":
        raise Conflict
    return found
