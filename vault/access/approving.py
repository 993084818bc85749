"""Who approves, with which code, in which request: what an approval of this room is done with (promise 9)."""

from dataclasses import dataclass, replace

from vault.access_log.deed import Deed
from vault.identity.callers import Caller, still
from vault.identity.second_factor import Approval, SecondFactor
from vault.identity.two_people import require_two
from vault.rulebook.asker import Errand


@dataclass(frozen=True, slots=True)
class Approver:
    """A signed-in person about to approve; `code` is a one-time code of her own, None in a session stepped up by one."""

    caller: Caller
    request: str
    code: str | None
    factor: SecondFactor

    @property
    def errand(self) -> Errand:
        """What she does it for."""
        return Errand(self.caller, self.request)

    def still(self, deed: Deed) -> "Approver":
        """The same person as the rulebook inside this deed knows her. Raises Unauthenticated where she is no more."""
        return replace(self, caller=still(deed, self.caller))

    def approve(self, deed: Deed, maker: str, kind: str) -> Approval:
        """Let her approve what `maker` made; call it last. Raises refusals `same-person` and `step-up-required`, TooMany."""
        require_two(self.errand.book(deed), maker, self.caller, kind)
        return self.factor.approve(deed, self.caller, self.code, kind=kind)
