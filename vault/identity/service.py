"""The identity room as one object: what the roof makes once and hands to routes and to the rooms above."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from vault.identity.clients import Clients
from vault.identity.declarations import Declarations
from vault.identity.entrance import Entrance
from vault.identity.hashing import Regulars
from vault.identity.pack_change import PackChanges
from vault.identity.recipients import Recipients
from vault.identity.second_factor import Guesses, SecondFactor
from vault.identity.sessions import Sessions
from vault.identity.staff import Staff
from vault.rulebook.association import Association
from vault.web.limits import Limits


@dataclass(frozen=True, slots=True)
class Identity:
    """Entrance, sessions, clients, staff, recipients and the pack of every association that is open in this process."""

    entrance: Entrance
    factor: SecondFactor
    sessions: Sessions
    clients: Clients
    staff: Staff
    recipients: Recipients
    declarations: Declarations
    packs: PackChanges

    @classmethod
    def over(cls, associations: Mapping[str, Association], limits: Limits) -> Self:
        """Serve these associations, by code; the mapping may grow. `limits` are the process's."""
        factor = SecondFactor(Guesses(limits))
        regulars = Regulars(limits.now)
        sessions, entrance = Sessions(associations, limits, factor, regulars), Entrance(associations, limits, regulars)
        return cls(
            entrance,
            factor,
            sessions,
            Clients(factor),
            Staff(factor, sessions),
            Recipients(factor),
            Declarations(factor),
            PackChanges(factor),
        )

    def close(self) -> None:
        """Let the threads of this room end."""
        self.sessions.close()
