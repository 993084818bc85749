"""Where a log was put back from a copy: the entry that begins each later epoch, and what it quotes of the history that was lost.

The tree goes on: the entries of the copy stay, number for number, and the next one, of kind `log.restored`, quotes the size and root of the
copy and of the newest checkpoint held outside. From it on checkpoints bear the name of the next epoch (docs/adr/0041-log-epochs.md).
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from vault.access_log import tables
from vault.access_log.checkpoint import Checkpoint, NotACheckpoint, epoch_of
from vault.access_log.entry import EntryRefused, parse

RESTORED = "log.restored"


@dataclass(frozen=True, slots=True)
class Beginning:
    """The entry that begins an epoch: its number, which is the size of the copy, and the epoch."""

    number: int
    epoch: int


def quoted(epoch: int, copy: Checkpoint, outside: Checkpoint | None) -> tuple[str, ...]:
    """What the entry that begins this epoch says in its flags: the epoch, the copy's head, and the newest checkpoint outside."""
    heads = [("copy", copy)] if outside is None else [("copy", copy), ("outside", outside)]
    return (f"epoch:{epoch}", *(f"{name}:{head.origin}:{head.size}:{head.root.hex()}" for name, head in heads))


def beginnings(connection: Connection, association: bytes) -> list[Beginning]:
    """Every entry that begins an epoch, oldest first; what is no such entry is left out, for the log's verification names it."""
    place = tables.entry.c
    query = select(place.number, place.body).where(place.association_id == association, place.kind == RESTORED).order_by(place.number)
    found = []
    for number, body in connection.execute(query):
        try:
            stored = parse(bytes(body)).entry
            found.append(Beginning(int(number), int(stored.flags[0].removeprefix("epoch:"))))
        except (EntryRefused, IndexError, TypeError, ValueError):
            continue
    return found


def lost_after(held: Checkpoint, code: str, begun: list[Beginning]) -> Beginning | None:
    """The beginning of a later epoch before the end of what this checkpoint covers: from its number on, what it covers was lost."""
    try:
        epoch = epoch_of(held.origin, code)
    except NotACheckpoint:
        return None
    return next((one for one in begun if one.epoch > epoch and one.number < held.size), None)
