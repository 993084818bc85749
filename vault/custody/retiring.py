"""Retires epochs two people agreed to retire, so that what was wrapped under them opens nowhere: not here, not in any copy of the database.

Invariants: refused while one key names an older epoch; the journal has its line before the file is rewritten, and the log has
`keys.retired` after; a process that dies at any moment leaves the old state or one that the next start, or the same command once more,
completes; a file older than log and journal say is refused at start.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from keys import epochs
from keys.errors import Unopenable, Unsealable
from keys.roots import Root
from vault.access_log.deed import Deed
from vault.custody.rotating import catch_up
from vault.custody.tables import left_below
from vault.custody.told import HERE, SYSTEM, told
from vault.errors import Conflict, Unavailable
from vault.identity.opening import EPOCHS
from vault.rulebook import facts
from vault.rulebook.association import Association
from vault.rulebook.key_facts import CEREMONY, EPOCH, KEYS, CeremonyFact, CopyOfThen, Retirement, keys_fact
from vault.storage.engine import enter
from vault.storage.journal import Closing

OLDER: Final = "epochs-older"
FROM_JOURNAL: Final = ("from-journal",)


class StillInUse(Conflict):
    """Keys are wrapped under an epoch that is to be retired; `left` counts them by table."""

    code = "epochs-in-use"

    def __init__(self, left: Mapping[str, int]) -> None:
        """Hold the counts."""
        super().__init__()
        self.left = left


def require_unused(association: Association, below: int) -> None:
    """Raise StillInUse while a key names an epoch below this one.

    Asked beside the running service: since the rotation no deed wraps under an older epoch, so what was none stays none.
    """
    with association.database.connect() as connected, connected.execution_options(reading=True).begin():
        enter(connected, association.id)
        if left := left_below(connected, association.id, below):
            raise StillInUse(left)


def begin(deed: Deed, association: Association, ceremony: CeremonyFact, below: int) -> None:
    """Decide it, once no key needs these epochs; from the line on nothing goes back. Raises Conflict `epochs-out-of-range`."""
    if ceremony.state == "carrying-out":
        return
    known = keys_fact(deed)
    if not known.minimum < below <= association.cabinet.keys.epoch:
        raise Conflict("epochs-out-of-range")
    written = facts.write(deed, CEREMONY, ceremony.id, msgspec.structs.replace(ceremony, state="carrying-out"))
    closing = Closing(EPOCH, str(below), ceremony.id)
    deed.append(told(deed, association, "keys.retiring", written, count=below), closes=closing)


def complete(deed: Deed, association: Association, root: Root, below: int, ceremony: str, *, flags: tuple[str, ...] = HERE) -> None:
    """Rewrite the file without the epochs below, and tell of it. Raises Unavailable `sealed` where it cannot be."""
    keys = association.cabinet.keys
    if keys.minimum_epoch < below:
        try:
            keys.take(epochs.retire(association.folder / EPOCHS, association.id, root, below))
        except (OSError, Unopenable, Unsealable):
            raise Unavailable("sealed") from None
    known = keys_fact(deed)
    copies = tuple(CopyOfThen(name=each.name) for each in known.copies)
    retired = Retirement(below=below, at=deed.now, ceremony=ceremony, copies=copies)
    fact = msgspec.structs.replace(known, newest=max(known.newest, keys.epoch), minimum=below, retirements=(*known.retirements, retired))
    written = [facts.write(deed, KEYS, KEYS.name, fact)]
    if (agreed := facts.read(deed, CEREMONY, ceremony)) is not None:
        settled = msgspec.structs.replace(agreed, state="carried-out", settled_by=SYSTEM, settled_at=deed.now)
        written.append(facts.write(deed, CEREMONY, ceremony, settled))
    deed.append(told(deed, association, "keys.retired", *written, count=below, flags=flags), changes_law=True)


def settle(association: Association, root: Callable[[], Root], clock: Callable[[], int]) -> bool:
    """At start: complete what the journal says was begun, tell of an epoch the log never heard of; whether there was anything.

    Raises Unavailable `epochs-older` for a file that still has what was retired, or lacks what was made, and `integrity`.
    """
    lines = [line.closing for line in association.log.journal.lines() if line.closing.kind == EPOCH]
    newest = max(lines, key=lambda closing: int(closing.reference), default=None)

    def unit(deed: Deed) -> bool:
        done = False
        if newest is not None and keys_fact(deed).minimum < (below := int(newest.reference)):
            # Of keys under these epochs none was left when the line was written: where there are, database and file are both older.
            if association.cabinet.keys.minimum_epoch < below and left_below(deed.transaction.connection, deed.association, below):
                raise Unavailable(OLDER)
            complete(deed, association, root(), below, newest.detail, flags=FROM_JOURNAL)
            done = True
        return catch_up(deed, association) or done

    return association.log.run_now(association.database, [unit], clock)[0]
