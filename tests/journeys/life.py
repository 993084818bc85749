"""The plain model that the life of a vault is held against: people, doors that were closed, copies, epochs.

After a restore only the copies that lead up to it are kept; a closed door is kept whichever life of the vault closed it.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Literal

from vault.backup.manifest import Backup

Closed = Literal["withdrawn", "locked", "erased"]


@dataclass(slots=True)
class One:
    """What the model knows of a person; `consent` is the newest, `erasure` the request that locks her."""

    record: bytes
    subject: bytes
    values: dict[str, str]
    revision: int = 1
    consent: bytes | None = None
    agreed: bool = False
    erasure: bytes | None = None

    @property
    def refusal(self) -> str | None:
        """The code a read is refused with, None where it is not."""
        if self.erasure is not None:
            return "not-permitted"
        return None if self.agreed else "no-consent" if self.consent is None else "consent-withdrawn"


@dataclass(frozen=True, slots=True)
class Door:
    """A door that was closed and stays closed whatever copy is put back."""

    subject: bytes
    what: Closed
    erasure: bytes | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy, the model of that moment, how many doors were closed by then, and the oldest epoch a key of it names."""

    backup: Backup
    people: dict[bytes, One]
    doors: int
    oldest: int


@dataclass(slots=True)
class Model:
    """What must hold: who is here, what was ever closed, every record there ever was, and the epochs."""

    people: dict[bytes, One] = field(default_factory=dict)
    doors: list[Door] = field(default_factory=list)
    ever: dict[bytes, bytes] = field(default_factory=dict)
    copies: list[Copy] = field(default_factory=list)
    newest: int = 1
    minimum: int = 1
    oldest: int = 1

    def restore(self, copy: Copy) -> None:
        """The people of the copy, with every door closed since closed."""
        self.people, self.oldest = deepcopy(copy.people), copy.oldest
        self.copies = self.copies[: self.copies.index(copy) + 1]
        for door in self.doors[copy.doors :]:
            if (one := self.people.get(door.subject)) is None:
                continue
            if door.what == "erased":
                del self.people[door.subject]
            elif door.what == "locked":
                # The first request that locks her is the one that is settled.
                one.erasure = one.erasure or door.erasure
            else:
                one.agreed = False


def free(one: One) -> bool:
    return one.erasure is None


def locked(one: One) -> bool:
    return one.erasure is not None


def agreed(one: One) -> bool:
    return one.agreed and free(one)


def silent(one: One) -> bool:
    return not one.agreed and free(one)
