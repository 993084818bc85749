"""How the log stands: how old its newest checkpoint outside was, whether the log still begins with it, and the one signed now."""

from dataclasses import dataclass
from typing import Final

from vault.access_log.checkpoint import Checkpoint, opened
from vault.errors import Unavailable
from vault.identity.callers import Caller
from vault.officer.frame import Frame, looks, speaker_of
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.web.answer import Answer
from vault.web.call import Call
from vault.web.problems import problem_of, status_of
from vault.web.route import Route

MINUTE: Final = 60_000_000


def standing_routes(frame: Frame) -> list[Route]:
    """The page of this file."""
    pages = _Standing(frame)
    return [looks("/officer/standing", "officer.standing", pages.look, "log:verify", "How the log stands, with its newest checkpoint.")]


@dataclass(frozen=True, slots=True)
class _Standing:
    """The handler."""

    frame: Frame

    async def look(self, call: Call) -> Answer:
        caller: Caller = call.caller
        association, errand, speaker = caller.association, Errand(caller, call.request_id), speaker_of(call)
        await association.run(caller.still)
        found: Checkpoint | None = None
        note, minutes, wrong = "", 0, None
        try:
            minutes = max(0, association.outside.age(call.now)) // MINUTE
            # Signed only where the log begins with everything the one outside covers.
            note = await heard(errand, association.checkpoint)
            found = opened(note, association.cabinet.signer.vkey_at, association.code)
        except Unavailable as error:
            wrong = error
        return await self.frame.page(
            "standing.html",
            call,
            status=None if wrong is None else status_of(wrong),
            found=found,
            note=note,
            vkey=association.cabinet.signer.vkey,
            age=speaker.counted("minutes", minutes),
            problem=None if wrong is None else problem_of(wrong, call.request_id, call.language),
            now=speaker.time(call.now),
        )
