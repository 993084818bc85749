"""What tests of notices to people do: somebody to be told, a notice with its list, a second reader, and a mail server on the loopback."""

import email
import email.policy
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

import httpx

from tests.breach_reports.desk import Desk
from tests.breach_reports.incident_desk import done, incident
from tests.household import FATIMA, store
from tests.mail_server import mail_server
from tests.simulator import World
from vault.notice_mail import NoticeMail
from vault.notifying import Notifier

WORDING: dict[str, Any] = {
    "description": {"ar": "أُرسل كشف بأسماء المستفيدين إلى بريد خاطئ يوم الثلاثاء."},
    "risks": {"ar": "قد يتصل بك من لا تعرفه. طلبنا إتلاف الكشف ومنعنا إرسال الكشوف بالبريد."},
    "contact": {"ar": "مسؤول حماية البيانات: ٠١١٥٥٥٥٥٥٥"},
    "advice": {"ar": "لا تعطِ رمز تحقق لأحد."},
}
NAMES = {"ar": "جمعية البر المثالية", "en": "Example Charity"}


class Box:
    """Mailboxes behind a server: what came to whom, `asked` whom letters were offered for.

    `answers` is what it says to a letter for an address; `drops` cuts the line.
    """

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.asked: list[str] = []
        self.answers: dict[str, str] = {}
        self.drops = False

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        self.asked.append(address)
        answer = self.answers.get(address, "")
        if answer.startswith(("550", "450")):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        answer = self.answers.get(envelope.rcpt_tos[0])
        if answer is not None:
            return answer
        self.letters.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        if self.drops:
            server.transport.abort()
        return "250 taken"

    @property
    def to(self) -> list[str]:
        """To whom letters came, in order."""
        return [str(each["To"]) for each in self.letters]


@contextmanager
def serving(box: Box, port: int, **how: Any) -> Iterator[None]:
    """A mail server on the loopback interface while the block runs; `how` as aiosmtpd takes it."""
    with mail_server(box, port, **how):
        yield


def notifier(world: World, port: int, **more: Any) -> Notifier:
    """Who sends this world's letters."""
    mail = NoticeMail(sender="notices@example.org", host="localhost", port=port, security="none", **more)
    return Notifier(world.association, mail, NAMES)


async def person(world: World, number: int, **fields: Any) -> str:
    """Somebody invented with a mail address of her own: the id of her record."""
    national = f"{1_000_000_000 + number * 10:010d}"[:9]
    total = sum(sum(divmod(int(d) * 2, 10)) if at % 2 == 0 else int(d) for at, d in enumerate(national))
    given = {**FATIMA, "national_id": f"{national}{-total % 10}", "email": f"someone{number}@example.org", **fields}
    kept = await store(world, {name: value for name, value in given.items() if value is not None})
    return str(uuid.UUID(bytes=kept.record))


async def noticed(desk: Desk, id_: str, *records: str, **changes: Any) -> int:
    """The number of a notice to these people, drafted by the officer."""
    made = await done(desk, f"/{id_}/people-notices", {**WORDING, **changes})
    if records:
        await done(desk, f"/{id_}/people-notices/{made['notice']}/people", {"records": list(records)})
    return int(made["notice"])


async def approving(desk: Desk, id_: str, number: int, people: int, who: str = "second_officer") -> httpx.Response:
    """The second person lets it go out, with a code of hers."""
    await incident(desk, who, "GET", "")
    told = await incident(desk, who, "GET", f"/{id_}/people-notices/{number}/letters?limit=1")
    body = {"people": people, "list_version": told.json()["list_version"], "code": desk.world.one_time_code(who)}
    return await incident(desk, who, "POST", f"/{id_}/people-notices/{number}/approval", body)


async def approved(desk: Desk, id_: str, *records: str, **changes: Any) -> int:
    """The number of a notice that may go out to these people."""
    number = await noticed(desk, id_, *records, **changes)
    answer = await approving(desk, id_, number, len(set(records)))
    assert answer.status_code == 200, answer.text
    return number


async def ruled_out(desk: Desk, id_: str) -> None:
    """Two people say that the incident was none."""
    proposal = (await done(desk, f"/{id_}/ruling-out", {"reason": "x"}))["waiting"][-1]["proposal"]
    await incident(desk, "second_officer", "GET", "")
    body = {"proposal": proposal, "code": desk.world.one_time_code("second_officer")}
    await done(desk, f"/{id_}/approval", body, "second_officer")


async def states(desk: Desk, id_: str, number: int) -> dict[str, str]:
    """How each person's letter stands, by record."""
    told = await done(desk, f"/{id_}/people-notices/{number}/letters?limit=500", method="GET")
    assert sum(told["counts"].values()) == len([each for each in told["items"] if each["state"] != "removed"])
    return {each["record"]: each["state"] for each in told["items"]}


async def letter(desk: Desk, id_: str, number: int, record: str) -> dict[str, Any]:
    """The letter about a record, as the list tells it."""
    told = await done(desk, f"/{id_}/people-notices/{number}/letters?limit=500", method="GET")
    return next(each for each in told["items"] if each["record"] == record)
