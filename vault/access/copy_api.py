"""The calls about a person's copy and the letter: the key, the sealed file by another person, and the page to print."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from vault.access import copying, enclosing, request_queue
from vault.access.approving import Approver
from vault.access.contents import Enclosed
from vault.access.copy_contents import packed
from vault.access.copying import Copying
from vault.access.replies import letter
from vault.identity.bodies import Approve
from vault.identity.second_factor import SecondFactor
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.rulebook.channels import Channels
from vault.web.answer import HTML, OCTETS, Answer
from vault.web.call import Call, write_id
from vault.web.route import Body, Person, Query, Route

AT_ONCE: Final = 2
"""Copies sealed at the same time: each holds its documents in memory."""
LANG: Final = Query(kind="choice", choices=("ar", "en"), default="ar")


class CopyBody(Body, frozen=True):
    """The public key of hers (`age1…`) that her copy is sealed to; without it one is made for her."""

    key: Annotated[str, msgspec.Meta(max_length=100)] | None = None


class CopyAnswer(msgspec.Struct, frozen=True):
    """The key her copy is sealed to and its fingerprint; `secret` opens it, is told this once, and is for her alone."""

    id: str
    key: str
    fingerprint: str
    secret: str | None


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers."""

    factor: SecondFactor
    channels: Mapping[str, Channels]
    turns: asyncio.Semaphore

    async def prepare(self, call: Call) -> Answer:
        asker: Asker = call.caller
        request, errand, key = call.path_id("rights_request"), Errand(asker, call.request_id), call.body.key
        made = await heard(errand, lambda: asker.association.run(lambda deed: copying.prepare(deed, errand, request, key)))
        return Answer(CopyAnswer(write_id(request), made.key, made.fingerprint, made.secret))

    async def package(self, call: Call) -> Answer:
        asker: Asker = call.caller
        request, errand, association = call.path_id("rights_request"), Errand(asker, call.request_id), asker.association
        approver = Approver(call.caller, call.request_id, call.body.code, self.factor)

        async def sealed() -> bytes:
            outcome = await association.run(lambda deed: copying.release(deed, approver, request), weight=50)
            if not isinstance(outcome, Copying):
                raise outcome.refusal()
            files = await enclosing.opened(approver.errand, outcome.documents)
            enclosed = Enclosed(files, association.code, self.channels.get(association.code, Channels()))
            checkpoint = await association.checkpoint()
            return await asyncio.to_thread(packed, outcome, enclosed, association.cabinet.signer, checkpoint)

        async with self.turns:
            return Answer(await heard(errand, sealed))

    async def letter(self, call: Call) -> Answer:
        asker: Asker = call.caller
        request, errand, association = call.path_id("rights_request"), Errand(asker, call.request_id), asker.association
        found = await heard(errand, lambda: association.run(lambda deed: request_queue.shown(deed, errand, request)))
        language, own = call.query["lang"], self.channels.get(association.code, Channels())
        return letter(found, own.named(association.code, language), f"?lang={'ar' if language == 'en' else 'en'}", call.now, language)


def copy_routes(factor: SecondFactor, channels: Mapping[str, Channels]) -> list[Route]:
    """The calls of this file; `channels` hold the associations' names by code."""
    api = _Api(factor, channels, asyncio.Semaphore(AT_ONCE))
    return [
        Route(
            method="POST",
            path="/v1/requests/{rights_request}/copy",
            name="requests.copy",
            handler=api.prepare,
            access=Person("requests"),
            body=CopyBody,
            optional_body=True,
            answer=CopyAnswer,
            summary="Lay down the key that a person's copy is sealed to, hers or one made for her, whose secret is told once.",
        ),
        Route(
            method="POST",
            path="/v1/requests/{rights_request}/copy/package",
            name="requests.package",
            handler=api.package,
            access=Person("approve"),
            body=Approve,
            optional_body=True,
            media_type=OCTETS,
            summary="Release a person's copy, sealed to the key that another person laid down: an age file with all of hers.",
        ),
        Route(
            method="GET",
            path="/v1/requests/{rights_request}/letter",
            name="requests.letter",
            handler=api.letter,
            access=Person("requests"),
            media_type=HTML,
            query={"lang": LANG},
            summary="The letter about a request as it stands, ready to print in Arabic or English.",
        ),
    ]
