"""The room of mail over the real front, with a DNS of the test's and a real mail server that takes the acknowledgements."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx

from tests.breach_reports.desk import PLENTY, Desk
from tests.breach_reports.letters import Dns, dns
from tests.mail_server import mail_server
from tests.simulator import World
from vault.breach_reports.api import routes
from vault.breach_reports.limits import Intake
from vault.breach_reports.mail.answer import Postboxes
from vault.breach_reports.mail.api import mail_routes
from vault.breach_reports.mail.room import MailRoom
from vault.breach_reports.reports import Reports
from vault.mail_settings import FILE, postbox_of

SENDER = "privacy@example.net"
PROVIDER = "mx.example.net"


@dataclass(slots=True)
class Box:
    """A mail server's memory: what came, from and to whom; `says` answers a recipient, "" takes everybody.

    What it says of a letter comes `late` seconds after it.
    """

    letters: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    says: str = ""
    late: float = 0.0

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.says:
            return self.says
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.letters.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        await asyncio.sleep(self.late)
        return "250 taken"


@contextmanager
def receiving(port: int) -> Iterator[Box]:
    """A mail server on the loopback interface while the block runs."""
    box = Box()
    with mail_server(box, port):
        yield box


@dataclass(slots=True)
class Post:
    """The desk, and how messages are handed in."""

    desk: Desk
    room: MailRoom
    dns: Dns
    box: Box
    free: list[int]

    @property
    def world(self) -> World:
        return self.desk.world

    async def hand_in(self, raw: bytes, query: str = "", kind: str = "message/rfc822", **headers: str) -> httpx.Response:
        """Hand a message in with the key of the ceremony's client."""
        told = {"Authorization": f"Bearer {self.world.ceremony.api_key}", "Content-Type": kind, **headers}
        return await self.desk.http.post(f"/v1/breach-reports/mail{query}", content=raw, headers=told)

    async def taken(self, raw: bytes, query: str = "") -> dict[str, Any]:
        """What became of a message that was taken."""
        answer = await self.hand_in(raw, query)
        assert answer.status_code in (200, 201), answer.text
        told: dict[str, Any] = answer.json()
        assert (answer.status_code == 200) == told["already"]
        return told

    async def read(self, reference: str, state: str = "") -> dict[str, Any]:
        """The report with this reference, as an officer reads it."""
        return await self.desk.read(await self.desk.id_of(reference, state))


@asynccontextmanager
async def post_of(world: World, port: int, box: Box, *, answers: bool = True) -> AsyncIterator[Post]:
    """The room of this world's mail; its settings are read from a file, as the operator writes them."""
    known, free = dns(), [PLENTY]
    told = f'provider = "{PROVIDER}"\n'
    if answers:
        told += f'[acknowledgement]\nsender = "{SENDER}"\nhost = "localhost"\nport = {port}\nsecurity = "none"\n'
    folder = world.association.folder
    (folder / FILE).write_text(told)
    found = postbox_of(folder)
    assert found is not None

    def left(_folder: Path) -> int:
        return free[0]

    room = MailRoom(known, world.limits, Postboxes({world.code: found}), left)
    reports = Reports(world.associations, {}, Intake(world.limits, world.clock, left), world.identity.factor)
    async with world.front(*routes(reports), *mail_routes(room)) as http:
        yield Post(Desk(world, reports, http, free), room, known, box, free)
