"""HTTP in and out for notices: drafting, listing, showing, publishing (CONTRACT 3)."""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from vault.consent import notices
from vault.consent.api import ended_at
from vault.consent.wording import Wording
from vault.errors import FieldError, Invalid, NotFound
from vault.rulebook.alarm import heard
from vault.rulebook.approving import Factor, Second
from vault.rulebook.asker import Asker, Errand, once_for
from vault.rulebook.shapes import NoticeFact
from vault.web.answer import Answer
from vault.web.call import Call, write_id
from vault.web.route import Body, Needs, Person, Route
from vault.web.times import write_time

_DIGITS = 3
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=16)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Words = Annotated[tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=64)], ...], msgspec.Meta(max_length=200)]


class PartBody(Body, frozen=True, kw_only=True):
    """One of the eleven parts in both languages."""

    ar: str
    en: str


class VersionBody(Body, frozen=True, kw_only=True):
    """The next version of a notice; a part that is one text is its Arabic one. `approved_on` YYYY-MM-DD, Hijri from 1343 to 1500.

    `fields` and `recipients` are what it covers; left out, all the purpose may touch, and whomever a consent names.
    """

    texts: dict[str, str]
    parts: dict[str, str | PartBody]
    approved_by: Name
    approved_on: Name
    fields: Words | None = None
    recipients: Words | None = None
    material: bool = False
    reconsent_by: str | None = None


class NoticeBody(VersionBody, frozen=True, kw_only=True):
    """The first version of a notice for a purpose."""

    purpose: Name


class PublicationBody(Body, frozen=True, kw_only=True):
    """A one-time code, where the session is not stepped up by one."""

    code: Code | None = None


class NoticeStands(msgspec.Struct, frozen=True):
    """How a version stands, and the SHA-256 of each text."""

    id: str
    version: int
    state: str
    sha256: dict[str, str]


class NoticeListed(msgspec.Struct, frozen=True, kw_only=True):
    """One version in the list."""

    id: str
    version: int
    purpose: str
    state: str
    provisional: bool
    material: bool
    reconsent_by: str | None
    approved_by: str
    approved_on: str
    published_at: str | None
    sha256: dict[str, str]


class NoticesAnswer(msgspec.Struct, frozen=True):
    """Every version of every notice, by purpose, the newest first."""

    items: list[NoticeListed]


class NoticeShown(NoticeListed, frozen=True, kw_only=True):
    """One version in full. `not_in_text`: the parts whose Arabic words do not stand in the text word for word."""

    texts: dict[str, str]
    parts: dict[str, dict[str, str]]
    not_in_text: tuple[str, ...]
    fields: tuple[str, ...]
    recipients: tuple[str, ...] | None
    approved_day: str
    drafted_by: str
    published_by: str


def notice_routes(factor: Factor) -> list[Route]:
    """Return the calls about notices."""
    api = _Api(factor)
    return [
        Route(
            method="POST",
            path="/v1/notices",
            name="notices.draft",
            handler=api.draft,
            access=Person("notices:write"),
            body=NoticeBody,
            answer=NoticeStands,
            status=201,
            headers=frozenset({"Idempotency-Key"}),
            summary="Draft a notice for a purpose, in Arabic and English with its eleven parts; another person publishes it.",
        ),
        Route(
            method="GET",
            path="/v1/notices",
            name="notices.list",
            handler=api.listed,
            access=Needs("notices:read"),
            answer=NoticesAnswer,
            summary="Every version of every notice, drafts too, without their texts.",
        ),
        Route(
            method="POST",
            path="/v1/notices/{notice}/versions",
            name="notices.draft_version",
            handler=api.draft_version,
            access=Person("notices:write"),
            body=VersionBody,
            answer=NoticeStands,
            status=201,
            headers=frozenset({"Idempotency-Key"}),
            summary="Draft the next version of a notice; a material change says until when people are asked anew.",
        ),
        Route(
            method="GET",
            path="/v1/notices/{notice}/versions/{version}",
            name="notices.read",
            handler=api.read,
            access=Needs("notices:read"),
            answer=NoticeShown,
            summary="One version of a notice in full.",
        ),
        Route(
            method="POST",
            path="/v1/notices/{notice}/versions/{version}/publication",
            name="notices.publish",
            handler=api.publish,
            access=Person("approve"),
            body=PublicationBody,
            optional_body=True,
            answer=NoticeStands,
            summary="Publish a version that another person drafted: from this answer on it is the purpose's notice.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the service, shape the answer, return."""

    factor: Factor

    async def draft(self, call: Call) -> Answer:
        asker: Asker = call.caller
        body: NoticeBody = call.body
        wanted, errand = _wanted(body), Errand(asker, call.request_id)
        once = once_for(asker, route=call.route.name, key=call.idempotency_key, body=body)
        made = await heard(errand, lambda: asker.association.run(lambda deed: notices.draft(deed, errand, body.purpose, wanted, once)))
        return Answer(_stands(made))

    async def draft_version(self, call: Call) -> Answer:
        asker: Asker = call.caller
        notice, wanted, errand = call.path_id("notice"), _wanted(call.body), Errand(asker, call.request_id)
        once = once_for(asker, route=f"{call.route.name} {notice.hex()}", key=call.idempotency_key, body=call.body)
        made = await heard(errand, lambda: asker.association.run(lambda deed: notices.draft_version(deed, errand, notice, wanted, once)))
        return Answer(_stands(made))

    async def listed(self, call: Call) -> Answer:
        book = await Errand(call.caller, call.request_id).newest_book()
        return Answer(NoticesAnswer([NoticeListed(**_listed(one)) for one in notices.listed(book)]))

    async def read(self, call: Call) -> Answer:
        asker: Asker = call.caller
        errand, notice, version = Errand(asker, call.request_id), call.path_id("notice"), version_of(call)
        found = await heard(errand, lambda: asker.association.run(lambda deed: notices.shown(deed, errand, notice, version)))
        return Answer(_shown(found))

    async def publish(self, call: Call) -> Answer:
        asker: Asker = call.caller
        second = Second(asker, call.request_id, call.body.code, self.factor)
        notice, version = call.path_id("notice"), version_of(call)
        made = await heard(second.errand, lambda: asker.association.run(lambda deed: notices.publish(deed, second, notice, version)))
        await asker.association.refresh()
        return Answer(_stands(made))


def version_of(call: Call) -> int:
    """The number of a version as the path has it. Raises NotFound for what is none."""
    text = call.path["version"]
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise NotFound
    return int(text)


def _wanted(body: VersionBody) -> notices.Wanted:
    arabic = {name: part if isinstance(part, str) else part.ar for name, part in body.parts.items()}
    english = {name: part.en for name, part in body.parts.items() if not isinstance(part, str)}
    for name in ("fields", "recipients"):
        said = getattr(body, name)
        if said is not None and len(set(said)) != len(said):
            raise Invalid([FieldError(name, "out-of-range")])
    return notices.Wanted(
        wording=Wording(body.texts, arabic, english),
        approved_by=body.approved_by,
        approved_on=body.approved_on,
        fields=body.fields,
        recipients=body.recipients,
        material=body.material,
        reconsent_by=ended_at(body.reconsent_by, "reconsent_by"),
    )


def _stands(notice: NoticeFact) -> NoticeStands:
    return NoticeStands(write_id(bytes.fromhex(notice.id)), notice.version, notice.state, notice.sha256)


def _listed(notice: NoticeFact) -> dict[str, Any]:
    return {
        "id": write_id(bytes.fromhex(notice.id)),
        "version": notice.version,
        "purpose": notice.purpose,
        "state": notice.state,
        "provisional": notice.provisional,
        "material": notice.material,
        "reconsent_by": None if notice.reconsent_by is None else write_time(notice.reconsent_by),
        "approved_by": notice.approved_by,
        "approved_on": notice.approved_on,
        "published_at": None if notice.published_at is None else write_time(notice.published_at),
        "sha256": notice.sha256,
    }


def _shown(notice: NoticeFact) -> NoticeShown:
    both = {part: {"ar": text} | ({"en": notice.parts_en[part]} if part in notice.parts_en else {}) for part, text in notice.parts.items()}
    return NoticeShown(
        **_listed(notice),
        texts=notice.texts,
        parts=both,
        not_in_text=Wording(notice.texts, notice.parts, notice.parts_en).outside,
        fields=notice.fields,
        recipients=notice.recipients,
        approved_day=notice.approved_day,
        drafted_by=notice.drafted_by,
        published_by=notice.published_by,
    )
