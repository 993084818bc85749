"""Carries out, at the machine where the root key is, what two people agreed on; once and only what they agreed on."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from keys.roots import Root
from vault.access_log.deed import Deed
from vault.custody import retiring
from vault.custody.service import ceremony, with_copy
from vault.custody.told import SYSTEM, told
from vault.errors import Conflict
from vault.rulebook import facts
from vault.rulebook.association import Association
from vault.rulebook.key_facts import CEREMONY, KEYS, MOST_COPIES, CeremonyFact, Copy, CopyOfThen, KeysFact, keys_fact

T = TypeVar("T")


def carry_out(association: Association, root: Root, clock: Callable[[], int], id_: bytes) -> CeremonyFact:
    """Carry an approved ceremony out and return it as it then stands; one that was begun before is completed.

    Raises NotFound, Conflict `ceremony-not-approved`, StillInUse and what `retiring` raises.
    """

    def run(unit: Callable[[Deed], T]) -> T:
        return association.log.run_now(association.database, [unit], clock)[0]

    found = run(lambda deed: _approved(deed, id_))
    if found.act == "retire":
        below = found.below or 0
        run(lambda deed: retiring.begin(deed, association, _approved(deed, id_), below))
        run(lambda deed: retiring.complete(deed, association, root, below, found.id))
    else:
        run(lambda deed: _copies(deed, association, _approved(deed, id_)))
    return run(lambda deed: ceremony(deed, id_))


def _approved(deed: Deed, id_: bytes) -> CeremonyFact:
    found = ceremony(deed, id_)
    if found.state not in {"approved", "carrying-out"}:
        raise Conflict("ceremony-not-approved" if found.state == "proposed" else "ceremony-settled")
    return found


def _copies(deed: Deed, association: Association, agreed: CeremonyFact) -> None:
    """Put a named copy on the list or take it off; what is taken off counts as destroyed, on the word of the two."""
    known = keys_fact(deed)
    fact = _with(known, agreed.name, deed.now) if agreed.act == "copy-add" else _without(known, agreed, deed.now)
    settled = msgspec.structs.replace(agreed, state="carried-out", settled_by=SYSTEM, settled_at=deed.now)
    written = (facts.write(deed, KEYS, KEYS.name, fact), facts.write(deed, CEREMONY, agreed.id, settled))
    deed.append(told(deed, association, f"keys.{agreed.act}", *written))


def _with(known: KeysFact, name: str, now: int) -> KeysFact:
    if len(known.copies) >= MOST_COPIES or name in {each.name for each in known.copies}:
        raise Conflict("too-many-copies")
    return msgspec.structs.replace(known, copies=(*known.copies, Copy(name=name, since=now)))


def _without(known: KeysFact, agreed: CeremonyFact, now: int) -> KeysFact:
    left = tuple(each for each in known.copies if each.name != agreed.name)
    gone = CopyOfThen(name=agreed.name, gone_by=agreed.approved_by, gone_at=now)
    retirements = tuple(with_copy(each, gone) if CopyOfThen(name=agreed.name) in each.copies else each for each in known.retirements)
    return msgspec.structs.replace(known, copies=left, retirements=retirements)
