"""The entries of what is done at the machine itself, where nobody is signed in: the actor is the system, the flag says where."""

from typing import Final

from vault.access_log.deed import Deed
from vault.access_log.entry import Entry, Outcome, WrittenFact
from vault.rulebook.association import Association

SYSTEM: Final = "system"
HERE: Final = ("at-the-machine",)
AT_START: Final = ("found-at-start",)


def told(
    deed: Deed,
    association: Association,
    kind: str,
    *written: WrittenFact,
    count: int | None = None,
    outcome: Outcome = "allow",
    flags: tuple[str, ...] = HERE,
) -> Entry:
    """The entry of such a deed with the facts it wrote; `count` is the epoch, or how many keys it moved."""
    pack = association.books.at(deed).association.pack
    reason = "INTEGRITY" if outcome == "error" else None
    return Entry(kind=kind, outcome=outcome, actor=SYSTEM, article=f"{pack}:7", reason=reason, count=count, facts=written, flags=flags)
