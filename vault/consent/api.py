"""The calls about consent: recording, verifying, telling; and the purposes and notices it is given for."""

from typing import Any, Literal

import msgspec

from vault.access_log.deed import Deed
from vault.consent import history, service
from vault.consent.evidence import moment
from vault.consent.log_words import not_lost
from vault.consent.within import Consent
from vault.errors import FieldError, Invalid, NotFound
from vault.policy.facts import INTERNAL, SELF, Form
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand, once_for
from vault.subjects.meant import by_consent, by_record
from vault.web.answer import Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.route import Body, Needs, Person, Query, Route
from vault.web.times import write_time


class NoticeShown(Body):
    """Which notice was shown: id, version, language and the SHA-256 of its text."""

    id: str
    version: int
    language: Literal["ar", "en"]
    sha256: str


class ConsentBody(Body):
    """A consent to record."""

    purpose: str
    fields: list[str]
    form: Form
    explicit: bool
    notice: NoticeShown
    given_by: str
    indicated_at: str
    evidence: dict[str, Any]
    recipient: str | None = None
    expires_at: str | None = None
    channel: str | None = None


class VerificationBody(Body):
    """What a second person found."""

    result: Literal["verified", "rejected"]
    sighted: Literal["original", "scan"]
    scan_sha256: str | None = None


class StateAnswer(msgspec.Struct, frozen=True):
    """What was recorded and how it stands."""

    id: str
    state: str


class ToldConsent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One consent as it stands."""

    id: str
    purpose: str
    recipient: str
    fields: list[str]
    form: str
    explicit: bool
    notice: str
    given_by: str
    indicated_at: str
    recorded_at: str
    state: str
    expires_at: str | None = None
    verified_at: str | None = None
    ended_at: str | None = None
    scan: str | None = None
    channel: str | None = None
    asserted_by: str | None = None


class ToldEnd(msgspec.Struct, frozen=True):
    """The newest word that ended, or never began, something for a purpose and a recipient."""

    purpose: str
    recipient: str
    state: str
    indicated_at: str
    recorded_at: str


class ConsentsAnswer(msgspec.Struct, frozen=True):
    """Consents of a person as known at a moment, newest last, and where the next page begins; it permits nothing.

    `ended`: the newest stop for each purpose and recipient, a no to what was never given among them; left out where there is none.
    """

    as_of: str
    items: list[ToldConsent]
    next: str | None
    ended: list[ToldEnd] | msgspec.UnsetType = msgspec.UNSET


class PurposeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A purpose: what is done, which forms of consent are enough, which article it rests on."""

    code: str
    action: str
    basis: str
    forms: list[str]
    proof: str
    article: str
    title: dict[str, str]
    classes: list[str] | None
    channel: str


class PurposesAnswer(msgspec.Struct, frozen=True):
    """Every purpose of the association."""

    items: list[PurposeAnswer]


class NoticeText(msgspec.Struct, frozen=True):
    """A notice's text in one language and its SHA-256."""

    text: str
    sha256: str


class NoticeAnswer(msgspec.Struct, frozen=True):
    """The notice in force for a purpose."""

    id: str
    version: int
    purpose: str
    provisional: bool
    texts: dict[str, NoticeText]
    fields: list[str]


async def grant(call: Call) -> Answer:
    """Record a consent."""
    asker: Asker = call.caller
    record, body = call.path_id("record"), call.body
    consent = consent_of(body, call.now)
    request = once_for(asker, route=f"{call.route.name} {record.hex()}", key=call.idempotency_key, body=body)
    errand = Errand(asker, call.request_id)

    async def given() -> service.Recorded:
        return await asker.association.run(lambda deed: service.grant(deed, errand, record, consent, request), weight=2)

    recorded = await heard(errand, given, by_record(record))
    return Answer(StateAnswer(write_id(recorded.id), recorded.state))


async def verify(call: Call) -> Answer:
    """Record what a second person found."""
    asker: Asker = call.caller
    consent, body = call.path_id("consent"), call.body
    errand = Errand(asker, call.request_id)

    async def seen() -> str:
        return await asker.association.run(
            lambda deed: service.verify(deed, errand, consent, body.result, body.sighted, scan_sha256=body.scan_sha256), weight=2
        )

    state = await heard(errand, lambda: not_lost(asker.association, consent, seen), by_consent(consent))
    return Answer(StateAnswer(write_id(consent), state))


async def told(call: Call) -> Answer:
    """Every consent of the record's person."""
    asker: Asker = call.caller
    record, query, errand = call.path_id("record"), call.query, Errand(asker, call.request_id)

    def of_record(deed: Deed) -> history.Page:
        return history.consents(deed, errand, record, query["as_of"], after=query["after"], limit=query["limit"])

    page = await heard(errand, lambda: asker.association.run(of_record), by_record(record))
    items = [_told(one) for one in page.items]
    ended = [ToldEnd(one.purpose, one.recipient, one.kind, write_time(one.indicated_at), write_time(one.recorded_at)) for one in page.ended]
    return Answer(ConsentsAnswer(write_time(page.at), items, None if page.more is None else write_id(page.more), ended or msgspec.UNSET))


async def purposes(call: Call) -> Answer:
    """The purposes of the association."""
    book = await Errand(call.caller, call.request_id).newest_book()
    return Answer(
        PurposesAnswer(
            [
                PurposeAnswer(
                    code=one.code,
                    action=one.action,
                    basis=one.basis,
                    forms=sorted(one.forms),
                    proof=one.proof,
                    article=f"{book.association.pack}:{one.article}",
                    title=one.title,
                    classes=sorted(one.classes) if one.classes is not None else None,
                    channel=one.channel,
                )
                for one in sorted(book.purposes.values(), key=lambda purpose: purpose.code)
            ],
        ),
    )


async def current_notice(call: Call) -> Answer:
    """The notice in force for a purpose."""
    book = await Errand(call.caller, call.request_id).newest_book()
    notice = book.current_notice(call.query["purpose"])
    if notice is None:
        raise NotFound
    texts = {language: NoticeText(text, notice.sha256[language]) for language, text in notice.texts.items()}
    return Answer(
        NoticeAnswer(write_id(bytes.fromhex(notice.id)), notice.version, notice.purpose, notice.provisional, texts, list(notice.fields))
    )


def consent_of(body: ConsentBody, now: int) -> Consent:
    """The consent that a body says. Raises Invalid by member."""
    return Consent(
        purpose=body.purpose,
        recipient=body.recipient or INTERNAL,
        fields=frozenset(body.fields),
        form=body.form,
        explicit=body.explicit,
        notice=named(body.notice.id, "notice.id", "unknown-notice"),
        notice_version=body.notice.version,
        language=body.notice.language,
        sha256=body.notice.sha256,
        given_by=speaker(body.given_by),
        indicated_at=moment(body.indicated_at, "indicated_at", now),
        expires_at=ended_at(body.expires_at),
        evidence=body.evidence,
        channel=body.channel or "",
    )


def ended_at(text: str | None, member: str = "expires_at") -> int | None:
    """When something ends by its own words; an end may lie in the future, so only its form is checked."""
    return None if text is None else moment(text, member, 2**62)


def speaker(text: str) -> str:
    """Who speaks: the person herself, or the guardian with this id."""
    return SELF if text == SELF else named(text, "given_by", "unknown-guardian")


def named(text: str, member: str, code: str) -> str:
    """The id a member of the body names, in hexadecimal. Raises Invalid with this code where the text is none."""
    try:
        return parse_id(text).hex()
    except NotFound as error:
        raise Invalid([FieldError(member, code)]) from error


def _told(one: history.Told) -> ToldConsent:
    grant_ = one.grant
    return ToldConsent(
        id=write_id(bytes.fromhex(grant_.id)),
        purpose=one.purpose,
        recipient=one.recipient,
        fields=sorted(grant_.fields),
        form=grant_.form,
        explicit=grant_.explicit,
        notice=grant_.notice,
        given_by=grant_.by if grant_.by == SELF else write_id(bytes.fromhex(grant_.by)),
        indicated_at=write_time(grant_.indicated_at),
        recorded_at=write_time(grant_.recorded_at),
        state=one.state,
        expires_at=write_time(grant_.expires_at) if grant_.expires_at is not None else None,
        verified_at=write_time(one.verified_at) if one.verified_at is not None else None,
        ended_at=write_time(one.stopped_at) if one.stopped_at is not None else None,
        scan=write_id(bytes.fromhex(one.scan)) if one.scan else None,
        channel=one.channel or None,
        asserted_by=one.asserted_by or None,
    )


ROUTES = (
    Route(
        method="POST",
        path="/v1/records/{record}/consents",
        name="consents.grant",
        handler=grant,
        access=Needs("consents:write"),
        body=ConsentBody,
        answer=StateAnswer,
        status=201,
        headers=frozenset({"Idempotency-Key", "Amanah-On-Behalf-Of"}),
        summary="Record a consent.",
    ),
    Route(
        method="GET",
        path="/v1/records/{record}/consents",
        name="consents.read",
        handler=told,
        access=Needs("consents:read"),
        answer=ConsentsAnswer,
        query={
            "as_of": Query(kind="time"),
            "after": Query(kind="id"),
            "limit": Query(kind="integer", low=1, high=500, default=50),
        },
        summary="What somebody agreed to, now or as known at an earlier moment.",
    ),
    Route(
        method="POST",
        path="/v1/consents/{consent}/verification",
        name="consents.verify",
        handler=verify,
        access=Person("consents:verify"),
        body=VerificationBody,
        answer=StateAnswer,
        status=201,
        summary="Record what a second person found.",
    ),
    Route(
        method="GET",
        path="/v1/purposes",
        name="purposes.list",
        handler=purposes,
        access=Needs("notices:read"),
        answer=PurposesAnswer,
        summary="The purposes of the association.",
    ),
    Route(
        method="GET",
        path="/v1/notices/current",
        name="notices.current",
        handler=current_notice,
        access=Needs("notices:read"),
        answer=NoticeAnswer,
        query={"purpose": Query(kind="text", required=True, high=64)},
        summary="The notice in force for a purpose.",
    ),
)
