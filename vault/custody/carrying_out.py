"""Carries out, at the machine where the root key is, what two people agreed on; once and only what they agreed on."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from keys import epochs
from keys.errors import Unopenable, Unsealable
from keys.roots import Root
from vault.access_log.deed import Deed
from vault.access_log.entry import WrittenFact
from vault.custody import retiring
from vault.custody.service import ceremony, with_copy
from vault.custody.told import SYSTEM, told
from vault.errors import Conflict
from vault.identity.opening import EPOCHS
from vault.rulebook import facts
from vault.rulebook.association import Association
from vault.rulebook.key_facts import CEREMONY, KEYS, MOST_COPIES, CeremonyFact, Copy, CopyOfThen, KeysFact, keys_fact

T = TypeVar("T")


def carry_out(association: Association, root: Root, clock: Callable[[], int], id_: bytes, new: Root | None = None) -> CeremonyFact:
    """Carry an approved ceremony out and return it as it then stands; one that was begun before is completed. `new` is a new slot's root.

    Raises NotFound, Conflict `ceremony-not-approved`, `ceremony-settled`, `slot-refused`, StillInUse and what `retiring` raises.
    """

    def run(unit: Callable[[Deed], T]) -> T:
        return association.log.run_now(association.database, [unit], clock)[0]

    found = run(lambda deed: _approved(deed, id_))
    if found.act == "retire":
        below = found.below or 0
        if found.state == "approved":
            retiring.require_unused(association, below)
        run(lambda deed: retiring.begin(deed, association, _approved(deed, id_), below))
        run(lambda deed: retiring.complete(deed, association, root, below, found.id))
    elif found.act in {"slot-add", "slot-remove"}:
        run(lambda deed: _slots(deed, association, root, _approved(deed, id_), new))
    else:
        run(lambda deed: _copies(deed, association, _approved(deed, id_)))
    return run(lambda deed: ceremony(deed, id_))


def _approved(deed: Deed, id_: bytes) -> CeremonyFact:
    found = ceremony(deed, id_)
    if found.state not in {"approved", "carrying-out"}:
        raise Conflict("ceremony-not-approved" if found.state == "proposed" else "ceremony-settled")
    return found


def approved(association: Association, clock: Callable[[], int], id_: bytes) -> CeremonyFact:
    """What waits to be carried out under this id. Raises NotFound, Conflict `ceremony-not-approved`, `ceremony-settled`."""
    return association.log.run_now(association.database, [lambda deed: _approved(deed, id_)], clock)[0]


def _slots(deed: Deed, association: Association, root: Root, agreed: CeremonyFact, new: Root | None) -> None:
    """Give a root its slot or take it; what a process that died had done to the file already is not done twice."""
    try:
        if agreed.act == "slot-remove" and agreed.name in _slot_names(association, root):
            epochs.remove_slot(association.folder / EPOCHS, association.id, root, agreed.name)
        elif agreed.act == "slot-add":
            if new is None or new.kind != agreed.root:
                raise Conflict("slot-refused")
            _give_slot(association, root, agreed.name, new)
    except (Unsealable, Unopenable):
        raise Conflict("slot-refused") from None
    _settle(deed, association, agreed)


def _give_slot(association: Association, root: Root, name: str, new: Root) -> None:
    """Give a root its slot, where it does not have it yet. Raises Unsealable, Unopenable."""
    path, own = association.folder / EPOCHS, association.id
    if name in _slot_names(association, root):
        epochs.load(path, own, new)
    else:
        epochs.add_slot(path, own, root, name, new)


def _slot_names(association: Association, root: Root) -> set[str]:
    return {name for name, _ in epochs.told(association.folder / EPOCHS, association.id, root).slots}


def _opens(association: Association, root: Root) -> bool:
    try:
        epochs.load(association.folder / EPOCHS, association.id, root)
    except Unopenable:
        return False
    return True


def recover(association: Association, root: Root, clock: Callable[[], int], name: str, new: Root) -> None:
    """Give the keys to a new root in the place of one that was lost, on the word of those who put the shares of `root` together.

    What a process that died had done to the file already is not done twice, and told now. Raises Conflict `slot-refused` for a name that is
    another root's or none, and for a root that opens the keys by another slot: it is not lost.
    """

    def unit(deed: Deed) -> None:
        if _opens(association, new) and name not in _slot_names(association, root):
            raise Conflict("slot-refused")
        try:
            _give_slot(association, root, name, new)
        except (Unsealable, Unopenable):
            raise Conflict("slot-refused") from None
        deed.append(told(deed, association, "keys.recovered"))

    association.log.run_now(association.database, [unit], clock)


def _settle(deed: Deed, association: Association, agreed: CeremonyFact, *written: WrittenFact) -> None:
    settled = msgspec.structs.replace(agreed, state="carried-out", settled_by=SYSTEM, settled_at=deed.now)
    deed.append(told(deed, association, f"keys.{agreed.act}", *written, facts.write(deed, CEREMONY, agreed.id, settled)))


def _copies(deed: Deed, association: Association, agreed: CeremonyFact) -> None:
    """Put a named copy on the list or take it off; what is taken off counts as destroyed, on the word of the two."""
    known = keys_fact(deed)
    fact = _with(known, agreed.name, deed.now) if agreed.act == "copy-add" else _without(known, agreed, deed.now)
    _settle(deed, association, agreed, facts.write(deed, KEYS, KEYS.name, fact))


def _with(known: KeysFact, name: str, now: int) -> KeysFact:
    if len(known.copies) >= MOST_COPIES or name in {each.name for each in known.copies}:
        raise Conflict("too-many-copies")
    return msgspec.structs.replace(known, copies=(*known.copies, Copy(name=name, since=now)))


def _without(known: KeysFact, agreed: CeremonyFact, now: int) -> KeysFact:
    left = tuple(each for each in known.copies if each.name != agreed.name)
    gone = CopyOfThen(name=agreed.name, gone_by=agreed.approved_by, gone_at=now)
    retirements = tuple(with_copy(each, gone) if CopyOfThen(name=agreed.name) in each.copies else each for each in known.retirements)
    return msgspec.structs.replace(known, copies=left, retirements=retirements)
