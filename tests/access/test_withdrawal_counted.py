"""Withdrawing asks no more than giving did: requests and fields counted on paper, by the person's link and on her own page."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.household import BASIC, asked, store, written
from tests.simulator import World
from vault.access.person_api import person_routes
from vault.access.withdrawal_api import withdrawal_routes
from vault.consent.api import ROUTES as CONSENT
from vault.consent.challenges_api import ROUTES as CHALLENGES
from vault.rulebook.channels import Channels
from vault.subjects import people
from vault.web.call import write_id

pytestmark = pytest.mark.asyncio(loop_scope="function")


class Filled(HTMLParser):
    """The fields of a page's forms that somebody must fill in, and the requests its buttons make, by the value of the button."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[list[str]] = []
        self.buttons: dict[str, int] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "form":
            self.forms.append([])
        elif tag in ("textarea", "select") or (tag == "input" and told.get("type") != "hidden"):
            self.forms[-1].append(str(told.get("name")))
        elif tag == "button" and told.get("value"):
            self.buttons[str(told["value"])] = len(self.forms) - 1

    def by(self, button: str) -> list[str]:
        """What is filled in where this button is pressed."""
        return self.forms[self.buttons[button]]


@dataclass(slots=True)
class Counted:
    """Requests made, and fields told in them, as they are sent: hidden ones and buttons are nobody's to fill in."""

    world: World
    requests: int = 0
    fields: int = 0
    last: Any = field(default=None, repr=False)

    async def call(self, method: str, path: str, *, who: str = "", form: Mapping[str, str] | None = None, body: Any = None) -> Any:
        """One request, which succeeds."""
        token = self.world.ceremony.api_key if who == "key" else await self.world.session(who) if who else ""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        channels = {self.world.code: Channels(site="https://vault.example.org")}
        associations = self.world.associations
        async with self.world.front(
            *withdrawal_routes(associations, channels), *person_routes(associations, channels), *CONSENT, *CHALLENGES
        ) as http:
            self.last = await http.request(method, path, data=form, json=body, headers=headers)
        assert self.last.status_code in (200, 201), self.last.text
        self.requests += 1
        self.fields += len(body or ())
        return self.last

    def asks_no_more_than(self, giving: "Counted") -> bool:
        return self.requests <= giving.requests and self.fields <= giving.fields


async def notice_of(world: World, purpose: str) -> dict[str, Any]:
    what = await asked(world, purpose)
    return {"id": write_id(bytes.fromhex(what.notice)), "version": what.notice_version, "language": "ar", "sha256": what.sha256}


async def answered(world: World) -> tuple[Counted, str]:
    """An electronic consent by the vault's own challenge: sent by the system, answered with the code."""
    kept, giving = await store(world), Counted(world)
    question = {"purpose": "service_delivery", "fields": list(BASIC), "notice": await notice_of(world, "service_delivery")}
    path = f"/v1/records/{write_id(kept.record)}/consent-challenges"
    issued = (await giving.call("POST", path, who="key", body=question)).json()
    given = await giving.call("POST", f"{path}/{issued['id']}/answer", who="key", body={"code": issued["code"], "act": "reply_code"})
    return giving, str(given.json()["id"])


async def stands(world: World, consent: str) -> bool:
    """Whether nothing has ended it."""
    path = f"/v1/consents/{consent}/withdrawal-link"
    shown = await Counted(world).call("GET", (await Counted(world).call("POST", path, who="key")).json()["path"])
    return "<form" in shown.text


async def test_on_paper_giving_takes_a_second_person_and_taking_back_takes_one_call(vault: World):
    kept, giving, back = await store(vault), Counted(vault), Counted(vault)
    vault.clock.forward(60)
    body = {
        "purpose": "publication",
        "fields": ["full_name"],
        "form": "written",
        "explicit": True,
        "notice": await notice_of(vault, "publication"),
        "given_by": "self",
        "indicated_at": "2026-01-01T00:00:00Z",
        "evidence": written("officer@probe"),
    }
    given = await giving.call("POST", f"/v1/records/{write_id(kept.record)}/consents", who="officer", body=body)
    consent = given.json()["id"]
    found = {"result": "verified", "sighted": "original"}
    await giving.call("POST", f"/v1/consents/{consent}/verification", who="second_officer", body=found)
    assert await stands(vault, consent)
    vault.clock.forward(60)
    await back.call("POST", f"/v1/consents/{consent}/withdrawal", who="officer", body={"given_by": "self"})
    assert not await stands(vault, consent)
    assert (giving.requests, giving.fields, back.requests, back.fields) == (2, 10, 1, 1)
    assert back.asks_no_more_than(giving)


async def test_by_her_link_it_is_a_look_and_a_press_with_nothing_to_fill_in(vault: World):
    giving, consent = await answered(vault)
    link = (await Counted(vault).call("POST", f"/v1/consents/{consent}/withdrawal-link", who="key")).json()["path"]
    back = Counted(vault)
    page = Filled((await back.call("GET", link)).text)
    assert page.by("withdraw") == []
    await back.call("POST", link, form={"act": "withdraw"})
    assert not await stands(vault, consent)
    assert (giving.requests, back.requests, back.fields) == (2, 2, 0)
    assert back.asks_no_more_than(giving)


async def test_on_her_own_page_it_is_the_code_she_gave_with_too_and_then_one_press(vault: World):
    """She fills in one code to get in, as she did to agree; each consent is then one press, and the page gives none."""
    giving, consent = await answered(vault)
    record = await vault.association.run(lambda deed: _record_of(deed, consent))
    way = (await Counted(vault).call("POST", f"/v1/records/{record}/person-page", who="key", body={})).json()
    door = Filled((await Counted(vault).call("GET", way["path"])).text)
    assert [one for one in door.forms if one] == [["code"]], "a code, as giving took one"
    inside = await Counted(vault).call("POST", way["path"], form={"code": way["code"]})
    session = re.findall(r'name="session" value="([A-Za-z0-9_-]{43})"', inside.text)[0]
    page, back = Filled(inside.text), Counted(vault)
    assert page.by("withdraw") == []
    assert "grant" not in page.buttons
    await back.call("POST", way["path"], form={"session": session, "act": "withdraw", "consent": consent})
    assert not await stands(vault, consent)
    assert (back.requests, back.fields) == (1, 0)
    assert back.asks_no_more_than(giving)


def _record_of(deed: Any, consent: str) -> str:
    return write_id(people.of_consent(deed, bytes.fromhex(consent.replace("-", "")))[1])
