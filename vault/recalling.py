"""Tells past recipients what they are to act upon: follows the log, takes what is due in hand, sends it, and notes what became of it.

Invariants: each recipient has one message on its way at a time and waits for nobody else's; what fails is put back and tried again later;
what was in hand when a process died is taken up again by any other once its lease has ended.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from vault.access import outbox
from vault.access.following import Follower
from vault.access.outbox import Job
from vault.access.recall_note import written
from vault.access_log.deed import Deed
from vault.errors import VaultError
from vault.rulebook.association import Association
from vault.webhooks import Undelivered, Wire

SECOND = 1_000_000


@dataclass(slots=True)
class Recaller:
    """The recalls of one association, for this process."""

    association: Association
    wire: Wire
    follower: Follower = field(init=False)
    _under_way: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin to follow where the last process left off."""
        self.follower = Follower(self.association)

    async def round(self) -> None:
        """Raise what is new and begin to send what is due; what is sent goes on beside it. Raises Unavailable."""
        await self.follower.follow()
        for job in await self._claimed():
            recipient = job.recall.recipient
            task = asyncio.create_task(self._tell(job))
            self._under_way[recipient] = task
            task.add_done_callback(partial(self._ended, recipient))

    async def settle(self) -> None:
        """Wait until everything that is on its way has arrived or failed."""
        while self._under_way:
            await asyncio.wait(list(self._under_way.values()))
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Break off what is on its way: it is taken up again when its lease has ended."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, recipient: str, _task: asyncio.Task[None]) -> None:
        self._under_way.pop(recipient, None)

    async def _tell(self, job: Job) -> None:
        """Send one recall after another to one recipient, until none is due or one fails."""
        recipient, left = job.recall.recipient, [job]
        # Where the vault itself cannot write, the lease ends by itself and the message is sent again.
        with suppress(VaultError):
            while left:
                if not await self._sent(left[0]):
                    return
                left = await self._claimed(recipient)

    async def _sent(self, job: Job) -> bool:
        """Send one recall and note what became of it; whether it was taken."""
        association = self.association
        note = written(job.recall, association.code, association.cabinet.signer, association.log.clock() // SECOND)
        try:
            await self.wire.send(job.address, note)
        except Undelivered:
            await association.run(partial(outbox.failed, job=job))
            return False
        await association.run(partial(outbox.delivered, job=job))
        return True

    async def _claimed(self, only: str | None = None) -> list[Job]:
        busy = frozenset(self._under_way) if only is None else frozenset()

        def unit(deed: Deed) -> list[Job]:
            return outbox.claim(deed, self.association.books.at(deed), busy, only)

        return await self.association.run(unit)
