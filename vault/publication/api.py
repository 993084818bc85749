"""The calls about an association's own policy: publishing it, and what the public reads (article 5)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec

from vault.errors import NotFound
from vault.publication import document, page, service
from vault.publication.document import RemarkCode
from vault.publication.readers import Readers
from vault.publication.service import Document
from vault.publication.summary import Processing, processing_of
from vault.publication.versions import PolicyFact, Published
from vault.rulebook.alarm import heard
from vault.rulebook.approval_day import ApprovalDay
from vault.rulebook.approving import Factor
from vault.rulebook.asker import Asker, Errand, once_for
from vault.rulebook.association import Association, open_here
from vault.rulebook.channels import Channels
from vault.web import Answer, Body, Call, Person, Public, Query, Rate, Route
from vault.web.answer import HTML, TEXT
from vault.web.route import LARGE_BODY
from vault.web.times import write_time

VERSION: Final = {"version": Query(kind="integer", low=1, high=1_000_000)}
LANGUAGE: Final = {"lang": Query(kind="choice", choices=("ar", "en"))}
_Wanted = tuple[str, Processing, Published | None, str, Channels]
READERS: Final = Rate(bucket="policy-readers", burst=120, per_second=10)


class PolicyBody(Body):
    """A document to publish; `approved_on` YYYY-MM-DD, Hijri from 1343 to 1500."""

    text: str
    approved_by: str
    approved_on: str
    code: Annotated[str, msgspec.Meta(min_length=1, max_length=16)] | None = None


class RemarkTold(msgspec.Struct, frozen=True):
    """Something the publisher should look at: how many such characters, and the line of the first."""

    code: RemarkCode
    count: int
    line: int


class PolicyMade(msgspec.Struct, frozen=True):
    """What was published."""

    version: int
    sha256: str
    bytes: int
    published_at: str
    remarks: tuple[RemarkTold, ...]


class PolicyVersion(msgspec.Struct, frozen=True):
    """One version as the public sees it."""

    version: int
    sha256: str
    bytes: int
    approved_by: str
    approved_on: ApprovalDay
    published_at: str


class PolicyShown(msgspec.Struct, frozen=True):
    """A version with its words; `newest` tells whether a later one was published."""

    version: PolicyVersion
    newest: bool
    text: str


class PublicNotice(msgspec.Struct, frozen=True):
    """What an association publishes: its own policy or None before the first, every version, and how data is processed."""

    association: str
    policy: PolicyShown | None
    history: tuple[PolicyVersion, ...]
    processing: Processing


def routes(associations: Mapping[str, Association], factor: Factor, channels: Mapping[str, Channels]) -> list[Route]:
    """Return the calls of this room; the mappings by an association's code may grow."""
    api = _Api(associations, factor, channels, Readers())
    return [
        Route(
            method="POST",
            path="/v1/policies",
            name="policy.publish",
            handler=api.publish,
            access=Person("notices:write"),
            body=PolicyBody,
            max_body=LARGE_BODY,
            answer=PolicyMade,
            status=201,
            headers=frozenset({"Idempotency-Key"}),
            summary="Publish the association's own policy document as its next version, with a one-time code.",
        ),
        Route(
            method="GET",
            path="/v1/public/{association}/notice",
            name="policy.read",
            handler=api.read,
            access=Public(),
            answer=PublicNotice,
            query=VERSION,
            limit=READERS,
            summary="The association's own policy, every version of it, and how data is processed.",
        ),
        Route(
            method="GET",
            path="/v1/public/{association}/notice/document",
            name="policy.download",
            handler=api.download,
            access=Public(),
            media_type=TEXT,
            query=VERSION,
            limit=READERS,
            summary="The document of a version, byte for byte as it was handed in.",
        ),
        Route(
            method="GET",
            path="/{association}/privacy",
            name="policy.page",
            handler=api.page,
            access=Public(),
            media_type=HTML,
            query=VERSION | LANGUAGE,
            limit=READERS,
            summary="The privacy page: the association's own policy as it is, and how data is processed.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the service, shape the answer, return."""

    associations: Mapping[str, Association]
    factor: Factor
    channels: Mapping[str, Channels]
    readers: Readers
    laying: dict[_Wanted, asyncio.Future[Answer]] = field(default_factory=dict)

    async def publish(self, call: Call) -> Answer:
        body: PolicyBody = call.body
        caller: Asker = call.caller
        errand, given = Errand(caller, call.request_id), Document(body.text, body.approved_by, body.approved_on, body.code)
        once = once_for(caller, route=call.route.name, key=call.idempotency_key, body=body)
        made = await heard(errand, lambda: caller.association.run(lambda deed: service.publish(deed, errand, given, self.factor, once)))
        await caller.association.refresh()
        told = tuple(RemarkTold(each.code, each.count, each.line) for each in document.remarks(body.text))
        return Answer(PolicyMade(made.version, made.sha256, made.size, write_time(made.published_at), told))

    async def read(self, call: Call) -> Answer:
        association = self._association(call)
        found = await self.readers.read(association, call.query["version"])
        book = await association.book()
        shown = None if found is None else PolicyShown(_version(found.policy), found.is_newest, found.content.decode())
        every = () if found is None else tuple(_version(each) for each in found.history)
        return Answer(PublicNotice(association.code, shown, every, processing_of(book.pack)))

    async def download(self, call: Call) -> Answer:
        association = self._association(call)
        found = await self.readers.read(association, call.query["version"])
        if found is None:
            raise NotFound
        name = f"policy-{association.code}-{found.policy.version}.txt"
        return Answer(found.content, headers={"Content-Disposition": f'attachment; filename="{name}"'})

    async def page(self, call: Call) -> Answer:
        association = self._association(call)
        found = await self.readers.read(association, call.query["version"])
        told = processing_of((await association.book()).pack)
        return await self._laid_out((association.code, told, found, call.language, self.channels.get(association.code, Channels())))

    async def _laid_out(self, wanted: _Wanted) -> Answer:
        """The page, in a thread of its own: the longest takes longer than others should wait. Whoever asks meanwhile gets the same one."""
        laying = self.laying.get(wanted)
        if laying is None:
            laying = self.laying[wanted] = asyncio.ensure_future(asyncio.to_thread(page.privacy, *wanted))
            laying.add_done_callback(lambda _: self.laying.pop(wanted, None))
        # Whoever hangs up meanwhile takes the page away from nobody else.
        return await asyncio.shield(laying)

    def _association(self, call: Call) -> Association:
        return open_here(self.associations, call.path["association"])


def _version(policy: PolicyFact) -> PolicyVersion:
    return PolicyVersion(
        version=policy.version,
        sha256=policy.sha256,
        bytes=policy.size,
        approved_by=policy.approved_by,
        approved_on=policy.approved_on,
        published_at=write_time(policy.published_at),
    )
