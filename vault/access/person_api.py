"""The call that makes a way in to a person's own page, and the page: a link and a code, no account, no cookie, no script."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import msgspec

from vault.access import person_links, person_pages
from vault.access.person_links import ACTOR, Issued
from vault.access.person_pages import ASKED, Own
from vault.access.referral_facts import ReferralFact
from vault.access.rights_words import LISTS
from vault.access_log.deed import Deed
from vault.consent.api import speaker
from vault.consent.history import Told
from vault.consent.receipt_words import word
from vault.errors import FieldError, Invalid
from vault.policy.facts import INTERNAL, SELF
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand, Stranger
from vault.rulebook.association import Association, open_here
from vault.rulebook.book import Book
from vault.rulebook.channels import Channels
from vault.rulebook.requests import RequestFact
from vault.subjects.meant import by_record
from vault.web.answer import HTML, Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.form import Form
from vault.web.paper import Pages
from vault.web.route import KIBIBYTE, Body, Needs, Public, Query, Rate, Route
from vault.web.times import in_words, moment, write_time

PAGES: Final = Pages("vault.access")
PATH: Final = "/{association}/person/{token}"
SAID: Final = Form(fields={"code": 64, "session": 64, "act": 16, "consent": 64, "kind": 32, "says": 16 * KIBIBYTE})
MOST_SAID: Final = 4000
KNOCKS: Final = Rate(bucket="person-pages", burst=240, per_second=2.0)
_LANG: Final = {"lang": Query(kind="choice", choices=("ar", "en"))}


class PersonPageBody(Body):
    """For whom the way in is: the person herself, or a guardian of hers."""

    given_to: str = SELF


class PersonPageAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The link and the code, each to be handed over by itself; the code is told once, and both count until then."""

    path: str
    code: str
    opens_until: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class _PersonPages:
    """The handlers."""

    associations: Mapping[str, Association]
    channels: Mapping[str, Channels]

    async def issue(self, call: Call) -> Answer:
        """Make a way in."""
        asker: Asker = call.caller
        record, given_to, errand = call.path_id("record"), speaker(call.body.given_to), Errand(asker, call.request_id)

        async def issued() -> Issued:
            return await asker.association.run(lambda deed: person_links.issue(deed, errand, record, given_to))

        made = await heard(errand, issued, by_record(record))
        path = PATH.replace("{association}", asker.association.code).replace("{token}", made.token)
        site = self.channels.get(asker.association.code, Channels()).site
        return Answer(PersonPageAnswer(path, made.code, write_time(made.until), site + path if site else None))

    async def knock(self, call: Call) -> Answer:
        """Ask for the code; the link alone shows nothing of anybody."""
        association, token = self._association(call), call.path["token"]
        errand = self._errand(call)
        waits = await heard(errand, lambda: association.run(lambda deed: person_links.waits(deed, errand, token)))
        return self._door(call, waits=waits)

    async def say(self, call: Call) -> Answer:
        """Let in who has the code, and do what who is in asks for."""
        fields, errand, token = call.form.fields, self._errand(call), call.path["token"]
        run, session, act = errand.asker.association.run, fields.get("session", ""), fields.get("act", "")
        if not session:
            session = await heard(
                errand, lambda: run(lambda deed: person_links.enter(deed, errand, token, fields.get("code", "")), weight=2)
            )
            if not session:
                waits = await heard(errand, lambda: run(lambda deed: person_links.waits(deed, errand, token)))
                return self._door(call, waits=waits, wrong=waits)
        if act == "leave":
            await heard(errand, lambda: run(lambda deed: person_pages.leave(deed, errand, token, session)))
            return self._door(call, waits=False)
        seen = await heard(
            errand, lambda: run(partial(_DEEDS.get(act, _view), errand=errand, said=_Said(token, session, fields)), weight=3)
        )
        return self._door(call, waits=False) if seen is None else self._inside(call, seen, session, done=act)

    def _association(self, call: Call) -> Association:
        return open_here(self.associations, call.path["association"])

    def _errand(self, call: Call) -> Errand:
        return Errand(Stranger(self._association(call), ACTOR), call.request_id)

    def _door(self, call: Call, *, waits: bool, wrong: bool = False) -> Answer:
        status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong else None
        return self._answer(call, "person_code.html", status=status, waits=waits, wrong=wrong)

    def _inside(self, call: Call, seen: Own, session: str, *, done: str) -> Answer:
        tongue = "en" if call.language == "en" else "ar"
        consents = [_told(seen.book, one, tongue) for one in seen.consents]
        asked = [_asked(one, tongue) for one in seen.requests]
        referred = [_referred(seen.book, one, tongue) for one in seen.referrals]
        kinds = [(kind, LISTS.kinds[kind].in_language(tongue)) for kind in ASKED]
        more = seen.count - len(consents)
        lists: dict[str, Any] = {"consents": consents, "more": more, "asked": asked, "kinds": kinds, "referred": referred}
        return self._answer(call, "person.html", session=session, done=done, **lists)

    def _answer(self, call: Call, template: str, *, status: int | None = None, **values: Any) -> Answer:  # noqa: ANN401  # a template's values
        code = self._association(call).code
        channels = self.channels.get(code, Channels())
        values |= {"name": channels.named(code, call.language), "demonstration": channels.demonstration, "code": code}
        return PAGES.answer(template, call.language, status=status, **values)


def _told(book: Book, told: Told, tongue: str) -> dict[str, Any]:
    """One consent in words."""
    purpose, notice, grant = book.purposes[told.purpose], book.notices[told.grant.notice], told.grant
    labels = {field.name: field.labels for shape in book.types.values() for field in shape.fields}
    recipient = book.recipients[told.recipient].name.get(tongue, told.recipient) if told.recipient in book.recipients else told.recipient

    def at(time: int) -> str:
        return word("riyadh", tongue).format(time=in_words(moment(time), tongue))

    return {
        "id": write_id(bytes.fromhex(grant.id)),
        "purpose": purpose.title.get(tongue, told.purpose),
        "recipient": None if told.recipient == INTERNAL else recipient,
        "fields": word("comma", tongue).join(sorted(labels.get(name, {}).get(tongue, name) for name in grant.fields)),
        "form": word(f"form_{grant.form}", tongue),
        "by_guardian": grant.by != SELF,
        "given": at(grant.recorded_at),
        "until": at(grant.expires_at) if grant.expires_at is not None else None,
        "ended": at(told.stopped_at) if told.stopped_at is not None else None,
        "state": word(f"state_{told.state.replace('-', '_')}", tongue),
        "stands": told.stopped_at is None,
        "language": told.language,
        "text": notice.texts[told.language],
        "notice": word("notice", tongue).format(version=notice.version, sha256=notice.sha256[told.language]),
    }


def _asked(found: RequestFact, tongue: str) -> dict[str, str]:
    """One request in words."""
    words = PAGES.words(tongue)
    return {
        "kind": LISTS.kinds[found.kind].in_language(tongue),
        "on": in_words(moment(found.received_at), tongue),
        "due": in_words(moment(found.due_at), tongue),
        "state": getattr(words, f"person_request_{found.state.replace('-', '_')}"),
        "waits": "" if found.outcome else "1",
    }


def _referred(book: Book, found: ReferralFact, tongue: str) -> dict[str, str]:
    """One referral in words: to whom, when, with what, and how it stands."""
    words, name = PAGES.words(tongue), found.outcome or found.state if found.state == "outcome" else found.state
    recipient = book.recipients.get(found.recipient)
    return {
        "recipient": found.recipient if recipient is None else recipient.name.get(tongue, found.recipient),
        "service": getattr(words, f"person_service_{found.service}"),
        "on": in_words(moment(found.offered_at), tongue),
        "told": words.person_referral_data if found.disclosure else words.person_referral_tell,
        "state": getattr(words, f"person_referral_{name.replace('-', '_')}"),
    }


@dataclass(frozen=True, slots=True)
class _Said:
    """What came with a form of somebody who is in: the link's token, her session, and the fields."""

    token: str
    session: str
    fields: Mapping[str, str]


def _view(deed: Deed, *, errand: Errand, said: _Said) -> Own | None:
    return person_pages.view(deed, errand, said.token, said.session)


def _withdraw(deed: Deed, *, errand: Errand, said: _Said) -> Own | None:
    return person_pages.withdraw(deed, errand, said.token, said.session, consent=parse_id(said.fields.get("consent", "")))


def _ask(deed: Deed, *, errand: Errand, said: _Said) -> Own | None:
    says = said.fields.get("says", "").strip()
    if len(says) > MOST_SAID:
        raise Invalid([FieldError("says", "too-long")])
    return person_pages.ask(deed, errand, said.token, said.session, kind=said.fields.get("kind", ""), says=says)


_DEEDS: Final = {"withdraw": _withdraw, "ask": _ask}


def person_routes(associations: Mapping[str, Association], channels: Mapping[str, Channels]) -> list[Route]:
    """The calls of this file; `channels` hold what pages tell of the associations, by code."""
    room = _PersonPages(associations, channels)
    return [
        Route(
            method="POST",
            path="/v1/records/{record}/person-page",
            name="person_pages.issue",
            handler=room.issue,
            access=Needs("consents:write"),
            body=PersonPageBody,
            optional_body=True,
            answer=PersonPageAnswer,
            status=201,
            headers=frozenset({"Amanah-On-Behalf-Of"}),
            summary="Make the link and the one-time code by which a person sees what she agreed to.",
        ),
        Route(
            method="GET",
            path=PATH,
            name="person_pages.knock",
            handler=room.knock,
            access=Public(),
            media_type=HTML,
            query=_LANG,
            limit=KNOCKS,
            summary="The door of a person's own page, which asks for the code.",
        ),
        Route(
            method="POST",
            path=PATH,
            name="person_pages.say",
            handler=room.say,
            access=Public(),
            form=SAID,
            max_body=64 * KIBIBYTE,
            media_type=HTML,
            query=_LANG,
            limit=KNOCKS,
            summary="Give the code, see and withdraw what was agreed to, and ask for a copy, correction or destruction.",
        ),
    ]
