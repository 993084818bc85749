"""The call that confirms a restore whose journal was not whole."""

import msgspec

from vault.access.approving import Approver
from vault.access.restoration import confirm
from vault.identity.bodies import Approve
from vault.identity.second_factor import SecondFactor
from vault.rulebook.alarm import heard
from vault.rulebook.shapes import CONFIRMATIONS, RestorationFact
from vault.web.answer import Answer
from vault.web.call import Call
from vault.web.route import Person, Route
from vault.web.times import write_time


class RestorationAnswer(msgspec.Struct, frozen=True):
    """A restore and how it stands: `unconfirmed` until two people have confirmed."""

    state: str
    confirmations: int
    needed: int
    epoch: int
    restored_at: str


class Restoration:
    """The call, with what checks one-time codes."""

    def __init__(self, factor: SecondFactor) -> None:
        """Let confirmations through by this."""
        self._factor = factor

    async def confirm(self, call: Call) -> Answer:
        """Confirm the restore."""
        approver = Approver(call.caller, call.request_id, call.body.code, self._factor)
        association = approver.caller.association

        async def confirmed() -> RestorationFact:
            return await association.run(lambda deed: confirm(deed, approver))

        return Answer(_shown(await heard(approver.errand, confirmed)))


def _shown(one: RestorationFact) -> RestorationAnswer:
    state = "unconfirmed" if one.is_unconfirmed else "confirmed"
    return RestorationAnswer(state, len(one.confirmed_by), CONFIRMATIONS, one.epoch, write_time(one.restored_at))


def restoration_routes(factor: SecondFactor) -> list[Route]:
    """The call of this file."""
    return [
        Route(
            method="POST",
            path="/v1/restoration/confirmation",
            name="restoration.confirm",
            handler=Restoration(factor).confirm,
            access=Person("approve"),
            body=Approve,
            optional_body=True,
            answer=RestorationAnswer,
            summary="Confirm a restore whose journal was not whole; with the second person's confirmation the articles decide again.",
        ),
    ]
