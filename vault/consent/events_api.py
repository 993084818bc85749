"""The calls for everything that happens to a consent but giving, seeing and withdrawing it: a no, a renewal, a confirmation, a finding."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from vault.access_log.deed import Deed
from vault.consent import importing, renewing, service
from vault.consent.api import ConsentBody, NoticeShown, StateAnswer, consent_of, ended_at, named, speaker
from vault.consent.evidence import moment
from vault.consent.importing import TakenIn
from vault.consent.log_words import not_lost
from vault.consent.within import Consent
from vault.errors import FieldError, Invalid, VaultError
from vault.policy.facts import Form
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand, once_for
from vault.storage.idempotency import Once
from vault.subjects.meant import by_consent, by_record
from vault.web.answer import Answer
from vault.web.body import InWords
from vault.web.call import Call, write_id
from vault.web.problems import Problem, problem_of
from vault.web.route import LARGE_BODY, Body, Needs, Person, Route

LONGEST_REASON = 2000
MOST_ITEMS = 500
MOST_AT_ONCE = 50


class AgainBody(Body, frozen=True, kw_only=True):
    """A consent given on or confirmed: under which notice, in which form, with which evidence; purpose and fields are the consent's."""

    form: Form
    explicit: bool
    notice: NoticeShown
    given_by: str
    indicated_at: str
    evidence: dict[str, Any]
    expires_at: str | None = None
    channel: str | None = None


class FindingBody(Body, frozen=True, kw_only=True):
    """Why a consent never was good, in words."""

    reason: InWords


class ImportedBody(ConsentBody, frozen=True, kw_only=True):
    """A consent of before there was a vault, of the person of this record."""

    record: str


class ImportBody(Body, frozen=True, kw_only=True):
    """Up to 500 of them; each stands alone."""

    items: list[ImportedBody]


class ImportedRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one row: the consent and how it stands, that there was no gap, or what is wrong with it."""

    status: int
    id: str | None = None
    state: str | None = None
    problem: Problem | None = None


class ImportAnswer(msgspec.Struct, frozen=True):
    """What became of each row, in order, and how many of each purpose stand how."""

    results: list[ImportedRow]
    purposes: dict[str, dict[str, int]]


async def renew(call: Call) -> Answer:
    """Record that a consent is given on."""
    return await _again(call, renewing.renew)


async def confirm(call: Call) -> Answer:
    """Record that the person herself confirms a consent."""
    return await _again(call, renewing.confirm)


async def invalidate(call: Call) -> Answer:
    """Record that a consent never was good."""
    asker: Asker = call.caller
    consent, errand = call.path_id("consent"), Errand(asker, call.request_id)

    async def ended() -> None:
        await asker.association.run(lambda deed: service.invalidate(deed, errand, consent, call.body.reason), weight=2)

    await heard(errand, lambda: not_lost(asker.association, consent, ended), by_consent(consent))
    return Answer(StateAnswer(write_id(consent), "invalidated"))


async def take_in(call: Call) -> Answer:
    """Take in consents of before, each alone."""
    items = call.body.items
    if not 1 <= len(items) <= MOST_ITEMS:
        raise Invalid([FieldError("items", "out-of-range")])
    results: list[TakenIn | VaultError] = []
    for first in range(0, len(items), MOST_AT_ONCE):
        results += await asyncio.gather(*(_taken_in(call, item) for item in items[first : first + MOST_AT_ONCE]))
    stands: dict[str, Counter[str]] = {}
    for item, one in zip(items, results, strict=True):
        if isinstance(one, TakenIn):
            stands.setdefault(item.purpose, Counter())[one.state] += 1
    return Answer(ImportAnswer([_row(call, one) for one in results], {code: dict(many) for code, many in sorted(stands.items())}))


async def _taken_in(call: Call, item: ImportedBody) -> TakenIn | VaultError:
    asker: Asker = call.caller
    errand = Errand(asker, call.request_id)
    try:
        record = bytes.fromhex(named(item.record, "record", "unknown-record"))
        consent = consent_of(item, call.now)
        return await heard(
            errand,
            lambda: asker.association.run(lambda deed: importing.take_in(deed, errand, record, consent), weight=2),
            by_record(record),
        )
    except VaultError as error:
        return error


def _row(call: Call, one: TakenIn | VaultError) -> ImportedRow:
    if isinstance(one, VaultError):
        found = problem_of(one, call.request_id, call.language)
        return ImportedRow(found.status, problem=found)
    return ImportedRow(201, write_id(one.id), one.state) if one.id is not None else ImportedRow(200, state=one.state)


_Deed = Callable[[Deed, Errand, bytes, Consent, Once | None], service.Recorded]


async def _again(call: Call, deed_of: _Deed) -> Answer:
    asker: Asker = call.caller
    consent, body, errand = call.path_id("consent"), call.body, Errand(call.caller, call.request_id)
    wanted = _wanted(body, call.now)
    once = once_for(asker, route=f"{call.route.name} {consent.hex()}", key=call.idempotency_key, body=body)

    async def given() -> service.Recorded:
        return await asker.association.run(lambda deed: deed_of(deed, errand, consent, wanted, once), weight=2)

    recorded = await heard(errand, lambda: not_lost(asker.association, consent, given), by_consent(consent))
    return Answer(StateAnswer(write_id(recorded.id), recorded.state))


def _wanted(body: AgainBody, now: int) -> Consent:
    return Consent(
        purpose="",
        recipient="",
        fields=frozenset(),
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


_HEADERS = frozenset({"Idempotency-Key", "Amanah-On-Behalf-Of"})
EVENT_ROUTES = (
    Route(
        method="POST",
        path="/v1/consents/{consent}/renewal",
        name="consents.renew",
        handler=renew,
        access=Needs("consents:write"),
        body=AgainBody,
        answer=StateAnswer,
        status=201,
        headers=_HEADERS,
        summary="Record that a consent is given on, under the notice and evidence of now.",
    ),
    Route(
        method="POST",
        path="/v1/consents/{consent}/confirmation",
        name="consents.confirm",
        handler=confirm,
        access=Needs("consents:write"),
        body=AgainBody,
        answer=StateAnswer,
        status=201,
        headers=_HEADERS,
        summary="Record that the person herself confirms a consent: the second step of a double opt-in, or after her majority.",
    ),
    Route(
        method="POST",
        path="/v1/consents/{consent}/invalidation",
        name="consents.invalidate",
        handler=invalidate,
        access=Person("consents:verify"),
        body=FindingBody,
        answer=StateAnswer,
        status=201,
        summary="Record that a consent never was good; nothing is done on it from this answer on.",
    ),
    Route(
        method="POST",
        path="/v1/consents/imports",
        name="consents.import",
        handler=take_in,
        access=Needs("consents:write"),
        body=ImportBody,
        max_body=LARGE_BODY,
        answer=ImportAnswer,
        headers=frozenset({"Amanah-On-Behalf-Of"}),
        summary="Take in up to 500 consents of before there was a vault; each fills a gap and nothing else.",
    ),
)
