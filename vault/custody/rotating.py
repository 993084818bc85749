"""A new epoch: from the answer on everything new is wrapped under it, in every process, and what is there already still opens.

Invariants: the file is rewritten inside the deed that holds the head of the log, so that nobody rotates or retires at the same time; the
entry changes the law, so that every process takes the new epoch over before its next deed; a file that is newer than the log (the process
died between the two) is told of at the next start.
"""

from collections.abc import Callable

import msgspec

from keys import epochs
from keys.roots import Root
from vault.access_log.deed import Deed
from vault.custody.told import AT_START, HERE, told
from vault.identity.opening import EPOCHS
from vault.rulebook import facts
from vault.rulebook.association import Association
from vault.rulebook.key_facts import KEYS, keys_fact


def rotate(association: Association, root: Root, clock: Callable[[], int]) -> int:
    """Add an epoch and return its number. Raises Unopenable and OSError for the file, Unavailable for the log."""

    def unit(deed: Deed) -> int:
        keys = association.cabinet.keys
        keys.take(epochs.rotate(association.folder / EPOCHS, association.id, root, deed.now))
        _tell(deed, association, HERE)
        return keys.epoch

    return association.log.run_now(association.database, [unit], clock)[0]


def catch_up(deed: Deed, association: Association) -> bool:
    """Tell of an epoch that the file has and the log never heard of; whether there was one."""
    if keys_fact(deed).newest >= association.cabinet.keys.epoch:
        return False
    _tell(deed, association, AT_START)
    return True


def _tell(deed: Deed, association: Association, flags: tuple[str, ...]) -> None:
    newest = association.cabinet.keys.epoch
    written = facts.write(deed, KEYS, KEYS.name, msgspec.structs.replace(keys_fact(deed), newest=newest))
    deed.append(told(deed, association, "keys.rotated", written, count=newest, flags=flags), changes_law=True)
