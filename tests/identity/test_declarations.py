"""Purposes and record types: narrowed within the pack by two people, never widened, and settled once something is stored."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

from tests.household import FATIMA, asked, findings, grant, lay_down, read, store
from tests.simulator import World
from vault.consent.api import ROUTES as CONSENT
from vault.errors import Refused
from vault.identity.declarations import FIRST_OWN_SCHEMA
from vault.identity.proposals import PURPOSE_PROPOSAL, TYPE_PROPOSAL
from vault.policy.pack import load
from vault.reclosing import reclose
from vault.records.api import ROUTES as RECORDS
from vault.rulebook import facts
from vault.storage.journal import Closing

pytestmark = pytest.mark.asyncio(loop_scope="function")
PACK = load("cooperative")
LABELS = {"ar": "حملة الشتاء", "en": "Winter campaign"}


class Desk:
    """An administrator who proposes, officers who approve, and the system of the association."""

    def __init__(self, world: World, http: httpx.AsyncClient) -> None:
        self.world, self.http = world, http
        self.tokens = {"key": world.ceremony.api_key}

    async def __call__(self, who: str, method: str, path: str, body: Any = None) -> httpx.Response:
        if who not in self.tokens:
            self.tokens[who] = await self.world.session(who)
        return await self.http.request(method, f"/v1{path}", json=body, headers={"Authorization": f"Bearer {self.tokens[who]}"})

    async def approve(self, path: str, proposal: str | None, who: str = "officer") -> httpx.Response:
        if who not in self.tokens:
            self.tokens[who] = await self.world.session(who)
        return await self(who, "POST", f"{path}/approval", {"proposal": proposal, "code": self.world.one_time_code(who)})

    async def lay_down(self, path: str, body: Any) -> None:
        """Propose and approve."""
        answer = await self("admin", "PUT", path, body)
        assert (answer.status_code, answer.json()["state"]) == (200, "proposed"), answer.text
        assert (await self.approve(path, answer.json()["proposal"])).json() == {"state": "in-force"}

    async def told(self, path: str, name: str) -> dict[str, Any]:
        """What the service tells of one purpose or type."""
        items = (await self("key", "GET", path)).json()["items"]
        found: dict[str, Any] = next(each for each in items if name in (each.get("code"), each.get("name")))
        return found

    async def whole(self, name: str = "beneficiary") -> dict[str, Any]:
        """A type as it stands, as one would lay it down again."""
        told = await self.told("/record-types", name)
        fields = [{key: value for key, value in each.items() if key != "choices" or value} for each in told["fields"]]
        return {"fields": fields, "one_of": told["one_of"]}


@pytest_asyncio.fixture(loop_scope="function")
async def desk(vault: World) -> AsyncIterator[Desk]:
    async with vault.front(*RECORDS, *CONSENT) as http:
        yield Desk(vault, http)


@pytest_asyncio.fixture(loop_scope="function")
async def till(small: World) -> AsyncIterator[Desk]:
    async with small.front(*RECORDS, *CONSENT) as http:
        yield Desk(small, http)


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**body, "fields": [each for each in body["fields"] if each["name"] not in names]}


def changed(body: dict[str, Any], name: str, **changes: Any) -> dict[str, Any]:
    return {**body, "fields": [each | changes if each["name"] == name else each for each in body["fields"]]}


async def test_a_narrower_purpose_is_in_force_once_another_person_approved_it_and_bites_at_once(desk: Desk):
    world = desk.world
    kept = await store(world)
    await grant(world, kept.record)
    assert await read(world, kept.record, fields=("mobile",))
    narrow = {"action": "use", "forms": ["written"], "classes": ["identity", "contact"]}
    waits = (await desk("admin", "PUT", "/purposes/service_delivery", narrow)).json()
    assert waits["state"] == "proposed"
    # Nothing is narrower before the approval, and whoever approves sees the wording first.
    assert await read(world, kept.record, fields=("mobile",))
    seen = (await desk("officer", "GET", "/purposes/service_delivery/proposal")).json()
    assert (seen["proposal"], seen["wording"]["forms"], seen["wording"]["classes"]) == (
        waits["proposal"],
        ["written"],
        ["contact", "identity"],
    )
    assert seen["proposed_by"] == (await world.person("admin")).ref
    assert (await desk.approve("/purposes/service_delivery", waits["proposal"])).status_code == 200
    told = await desk.told("/purposes", "service_delivery")
    assert (told["forms"], told["classes"], told["article"]) == (["written"], ["contact", "identity"], "cooperative:6.1")
    with pytest.raises(Refused) as refused:
        await read(world, kept.record, fields=("mobile",))
    assert refused.value.code == "evidence-insufficient"
    kinds = [(entry.kind, entry.outcome, entry.flags) for entry in world.entries() if entry.kind.startswith("purpose.")][1:]
    assert kinds == [("purpose.proposed", "allow", ("ceremony",)), ("purpose.approved", "allow", ("ceremony",))]
    assert [line.closing for line in world.association.log.journal.lines()] == [Closing("purpose", "service_delivery")]
    assert (await desk("admin", "PUT", "/purposes/service_delivery", narrow)).json() == {"state": "in-force"}
    assert findings(world) == []


WIDER: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "a form the article does not know": ("partner_sharing", {"action": "disclose", "forms": ["written", "electronic"]}, ["forms"]),
    "a verbal word": ("sms_offers", {"action": "contact", "forms": ["verbal"]}, ["forms"]),
    "another action": ("service_delivery", {"action": "disclose", "forms": ["written"]}, ["action"]),
    "another article": ("service_delivery", {"action": "use", "forms": ["written"], "article": "6.3"}, ["article"]),
    "another class": ("sms_offers", {"action": "contact", "forms": ["electronic"], "classes": ["contact", "health"]}, ["classes"]),
    "no class of the law": ("sms_offers", {"action": "contact", "forms": ["electronic"], "classes": ["shoes"]}, ["classes"]),
    "research out of the house": ("internal_research", {"action": "use", "forms": ["written"], "internal_only": False}, ["internal_only"]),
    "a visitor's signal ignored": ("visitor_analytics", {"action": "use", "forms": ["electronic"], "honours_gpc": False}, ["honours_gpc"]),
    "consent for a duty of the law": ("subject_request", {"action": "use", "forms": ["written"]}, ["forms"]),
    "an order narrowed": ("legal_order", {"action": "disclose", "forms": [], "classes": ["identity"]}, ["classes"]),
    "a sale": ("sale", {"action": "disclose", "forms": ["electronic"], "title": LABELS}, ["action"]),
    "a new purpose of another article": ("winter", {"action": "use", "forms": ["written"], "article": "6.9", "title": LABELS}, ["article"]),
    "an article that is none": ("winter", {"action": "publish", "forms": ["written"], "article": "6.4", "title": LABELS}, ["article"]),
}


@pytest.mark.parametrize("case", WIDER)
async def test_a_purpose_wider_than_the_pack_is_422_and_names_the_member(till: Desk, case: str):
    code, body, members = WIDER[case]
    before = len(till.world.entries())
    answer = await till("admin", "PUT", f"/purposes/{code}", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "wider-than-pack"), answer.text
    assert answer.json()["errors"] == [{"field": member, "code": "wider-than-pack"} for member in members]
    assert [entry.kind for entry in till.world.entries()[before:]] == ["session.opened"]


async def test_a_new_purpose_takes_article_and_law_from_the_pack_and_has_its_own_name(desk: Desk):
    body = {"action": "contact", "forms": ["electronic"], "classes": ["contact"], "title": LABELS}
    await desk.lay_down("/purposes/winter_campaign", body)
    told = await desk.told("/purposes", "winter_campaign")
    assert (told["action"], told["article"], told["forms"], told["title"]) == ("contact", "cooperative:6.4", ["electronic"], LABELS)
    fact = (await desk.world.association.refresh()).purposes["winter_campaign"]
    assert (fact.law, fact.from_pack) == (PACK.purposes["sms_offers"].law, False)
    # Nobody has agreed to it, and there is no notice one could agree to.
    kept = await store(desk.world)
    with pytest.raises(Refused):
        await read(desk.world, kept.record, "winter_campaign", ("mobile",))
    assert fact.channel == "", "of several means none was named"
    await desk.lay_down("/purposes/winter_calls", {**body, "channel": "call"})
    assert (await desk.told("/purposes", "winter_calls"))["channel"] == "call"
    post = await desk("admin", "PUT", "/purposes/winter_letters", {**body, "channel": "post"})
    assert (post.status_code, post.json()["code"]) == (422, "wider-than-pack")
    # A purpose of several articles must say which.
    several = await desk(
        "admin",
        "PUT",
        "/purposes/winter_study",
        {"action": "use", "forms": ["electronic"], "title": LABELS, "honours_gpc": True, "internal_only": True},
    )
    assert (several.status_code, several.json()["errors"]) == (422, [{"field": "article", "code": "missing"}])


async def test_what_was_made_narrower_may_come_back_as_wide_as_the_pack_by_two_people_and_no_wider(desk: Desk):
    await desk.lay_down("/purposes/internal_research", {"action": "use", "forms": ["written"]})
    await desk.lay_down("/purposes/internal_research", {"action": "use", "forms": ["written", "electronic"]})
    assert (await desk.told("/purposes", "internal_research"))["forms"] == ["electronic", "written"]
    assert len(list(desk.world.association.log.journal.lines())) == 1, "widening closes no door"


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"title": {"ar": "عنوان"}}, "title", "missing"),
        ({"title": {"ar": "عنوان", "en": ""}}, "title", "out-of-range"),
        ({"title": {"ar": "عنوان", "en": "two\nlines"}}, "title", "out-of-range"),
        ({"title": None}, "title", "missing"),
    ],
)
async def test_a_title_is_one_line_in_both_languages(till: Desk, change: dict[str, Any], field: str, code: str):
    body = {"action": "contact", "forms": ["electronic"], "title": LABELS, **change}
    answer = await till("admin", "PUT", "/purposes/winter", body)
    assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": field, "code": code}])


@pytest.mark.parametrize("code", ["Winter", "w", "x" * 33, "a-b", "%D8%B4%D8%AA%D8%A7%D8%A1"])
async def test_a_code_is_a_plain_word(till: Desk, code: str):
    body = {"action": "contact", "forms": ["electronic"], "title": LABELS}
    answer = await till("admin", "PUT", f"/purposes/{code}", body)
    assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": "code", "code": "out-of-range"}])
    answer = await till("admin", "PUT", f"/record-types/{code}", {"fields": []})
    assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": "name", "code": "out-of-range"}])


@pytest.mark.parametrize("path", ["/purposes/sms_offers", "/record-types/beneficiary"])
async def test_two_people_lay_down_and_the_second_approves_what_she_saw(desk: Desk, path: str):
    bodies = [{"action": "contact", "forms": ["electronic"], "classes": [each]} for each in ("contact", "identity")]
    if "types" in path:
        bodies = [without(await desk.whole(), name) for name in ("housing", "family_size")]
    assert (await desk("officer", "GET", f"{path}/proposal")).status_code == 404
    first, again, second = [(await desk("admin", "PUT", path, body)).json()["proposal"] for body in (bodies[0], bodies[0], bodies[1])]
    assert first == again != second
    for who in ("admin", "key"):
        assert (await desk(who, "POST", f"{path}/approval", {"proposal": second})).status_code == 403
    assert (await desk("officer", "PUT", path, bodies[0])).status_code == 403
    assert (await desk.approve(path, first)).status_code == 409, "another wording than the one that waits"
    assert (await desk.approve(path, "x")).json()["errors"] == [{"field": "proposal", "code": "out-of-range"}]
    bare = await desk("officer", "POST", f"{path}/approval", {"proposal": second})
    assert (bare.status_code, bare.json()["code"]) == (403, "step-up-required")
    assert (await desk.approve(path, second)).status_code == 200
    assert (await desk.approve(path, second)).status_code == 409
    assert (await desk("officer", "GET", f"{path}/proposal")).status_code == 409


async def test_nobody_approves_what_she_or_her_account_proposed(till: Desk):
    world, path = till.world, "/purposes/sms_offers"
    waits = (await till("admin", "PUT", path, {"action": "contact", "forms": ["electronic"], "classes": ["contact"]})).json()["proposal"]
    proposal = await world.association.run(lambda deed: facts.read(deed, PURPOSE_PROPOSAL, "sms_offers"))
    assert proposal is not None
    officer = (await world.person("officer")).ref
    await lay_down(world, PURPOSE_PROPOSAL, "sms_offers", msgspec.structs.replace(proposal, proposed_by=officer))
    refused = await till.approve(path, waits)
    assert (refused.status_code, refused.json()["code"], refused.json()["article"]) == (403, "same-person", "cooperative:7")
    assert (await till.approve(path, waits, "second_officer")).status_code == 200


async def test_a_purpose_that_the_pack_does_not_allow_now_is_not_approved(till: Desk):
    world, path = till.world, "/purposes/partner_sharing"
    waits = (await till("admin", "PUT", path, {"action": "disclose", "forms": ["written"], "classes": ["identity"]})).json()["proposal"]
    proposal = await world.association.run(lambda deed: facts.read(deed, PURPOSE_PROPOSAL, "partner_sharing"))
    assert proposal is not None
    wider = msgspec.structs.replace(proposal.purpose, forms=("electronic", "written"))
    # As it would wait if the pack had allowed it when it was proposed.
    await lay_down(world, PURPOSE_PROPOSAL, "partner_sharing", msgspec.structs.replace(proposal, purpose=wider))
    refused = await till.approve(path, waits)
    assert (refused.status_code, refused.json()["code"]) == (422, "wider-than-pack")
    assert refused.json()["errors"] == [{"field": "proposal", "code": "wider-than-pack"}]
    assert (await till.told("/purposes", "partner_sharing"))["forms"] == ["written"]
    await lay_down(world, PURPOSE_PROPOSAL, "partner_sharing", proposal)
    assert (await till.approve(path, waits)).status_code == 200


@pytest.mark.parametrize(
    "change", [{"searchable": True}, {"class_id": 9}, {"number": 99}], ids=["searched", "another class", "another number"]
)
async def test_a_record_type_that_the_pack_does_not_allow_now_is_not_approved(till: Desk, change: dict[str, Any]):
    world, path = till.world, "/record-types/donor"
    whole = await till.whole("donor")
    name = next(each["name"] for each in whole["fields"] if each["name"] == "email")
    waits = (await till("admin", "PUT", path, changed(whole, name, labels={"ar": "بريد", "en": "Mail"}))).json()["proposal"]
    proposal = await world.association.run(lambda deed: facts.read(deed, TYPE_PROPOSAL, "donor"))
    assert proposal is not None
    fields = tuple(msgspec.structs.replace(each, **change) if each.name == name else each for each in proposal.record_type.fields)
    wider = msgspec.structs.replace(proposal.record_type, fields=fields)
    await lay_down(world, TYPE_PROPOSAL, "donor", msgspec.structs.replace(proposal, record_type=wider))
    refused = await till.approve(path, waits)
    assert (refused.status_code, refused.json()["code"]) == (422, "wider-than-pack")
    await lay_down(world, TYPE_PROPOSAL, "donor", proposal)
    assert (await till.approve(path, waits)).status_code == 200


@pytest.mark.parametrize("path", ["/purposes/sms_offers", "/record-types/donor"])
async def test_asking_for_what_is_in_force_withdraws_what_waits(till: Desk, path: str):
    standing: dict[str, Any] = {"action": "contact", "forms": ["electronic"]}
    other = {**standing, "classes": ["contact"]}
    if "types" in path:
        standing = await till.whole("donor")
        other = without(standing, "donation_note")
    waits = (await till("admin", "PUT", path, other)).json()["proposal"]
    assert (await till("admin", "PUT", path, standing)).json() == {"state": "in-force"}
    assert till.world.entries()[-1].kind.endswith(".proposal-withdrawn")
    assert (await till.approve(path, waits)).status_code == 409
    before = len(till.world.entries())
    assert (await till("admin", "PUT", path, standing)).json() == {"state": "in-force"}
    assert len(till.world.entries()) == before


async def test_a_record_type_is_narrowed_while_nothing_of_it_is_stored(desk: Desk):
    whole = await desk.whole()
    narrow = changed(without(whole, "orphan_status", "health_note"), "mobile", required=True, searchable=False)
    narrow = changed(narrow, "gender", choices=["female", "male"], labels={"ar": "الجنس", "en": "Sex"})
    await desk.lay_down("/record-types/beneficiary", narrow)
    told = await desk.told("/record-types", "beneficiary")
    fields = {each["name"]: each for each in told["fields"]}
    assert not {"orphan_status", "health_note"} & fields.keys()
    assert (fields["mobile"]["required"], fields["mobile"]["searchable"]) == (True, False)
    assert (fields["gender"]["choices"], fields["gender"]["labels"]["en"]) == (["female", "male"], "Sex")
    fact = (await desk.world.association.refresh()).types["beneficiary"]
    pack = PACK.record_types["beneficiary"]
    assert fact.schema == pack.id
    assert all(each.number == pack.fields[each.name].id and each.class_id == PACK.classes[each.field_class] for each in fact.fields)
    few = {name: FATIMA[name] for name in ("full_name", "national_id")}
    answer = await desk("key", "POST", "/records", {"type": "beneficiary", "fields": few})
    assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": "fields.mobile", "code": "missing"}])
    more = few | {"mobile": FATIMA["mobile"]}
    assert (await desk("key", "POST", "/records", {"type": "beneficiary", "fields": more})).status_code == 201
    assert findings(desk.world) == []


async def test_a_field_of_a_type_with_records_is_neither_taken_away_nor_added_nor_made_searchable(desk: Desk):
    whole = await desk.whole()
    await desk.lay_down("/record-types/beneficiary", changed(without(whole, "housing"), "mobile", searchable=False))
    standing = await desk.whole()
    waits = (await desk("admin", "PUT", "/record-types/beneficiary", whole)).json()["proposal"]
    kept = await store(desk.world, {name: FATIMA[name] for name in ("full_name", "national_id", "mobile")})
    # What was proposed before the first record is looked at again when it is approved.
    late = await desk.approve("/record-types/beneficiary", waits)
    assert (late.status_code, late.json()["code"]) == (409, "type-in-use")
    for body in (without(standing, "iban"), whole, changed(standing, "mobile", searchable=True)):
        answer = await desk("admin", "PUT", "/record-types/beneficiary", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "type-in-use")
    # What is sealed stays as it is: names, what must be filled, and a search less.
    await desk.lay_down("/record-types/beneficiary", changed(standing, "national_id", searchable=False, required=True))
    await grant(desk.world, kept.record, await asked(desk.world))
    assert await read(desk.world, kept.record, fields=("full_name", "mobile"))
    # Another type has no record and stays free.
    await desk.lay_down("/record-types/donor", without(await desk.whole("donor"), "donation_note"))


async def test_a_new_type_is_a_narrower_one_of_the_pack_under_its_own_name(desk: Desk):
    whole = await desk.whole("contact_person")
    await desk.lay_down("/record-types/press_contact", without(whole, "unified_number", "postal_code"))
    await desk.lay_down("/record-types/radio_contact", without(whole, "organisation"))
    types = (await desk.world.association.refresh()).types
    assert [types[name].schema for name in ("press_contact", "radio_contact")] == [FIRST_OWN_SCHEMA, FIRST_OWN_SCHEMA + 1]
    await desk.lay_down("/record-types/press_contact", changed(without(whole, "unified_number", "postal_code"), "email", required=True))
    assert (await desk.world.association.refresh()).types["press_contact"].schema == FIRST_OWN_SCHEMA
    kept = await store(desk.world, {"full_name": FATIMA["full_name"], "email": "press@example.org"}, type_="press_contact")
    assert await read(desk.world, kept.record, "intake", ("full_name", "email"))
    assert findings(desk.world) == []


TYPES: dict[str, tuple[Any, str, str]] = {
    "a field of its own": (
        lambda one: {**one, "fields": [*one["fields"], {"name": "shoe_size", "type": "text", "class": "identity"}]},
        "fields.18",
        "wider-than-pack",
    ),
    "another class": (lambda one: changed(one, "health_note", **{"class": "identity"}), "fields.16", "wider-than-pack"),
    "another kind": (lambda one: changed(one, "iban", type="text"), "fields.11", "wider-than-pack"),
    "a search more": (lambda one: changed(one, "email", searchable=True), "fields.7", "wider-than-pack"),
    "a choice more": (lambda one: changed(one, "gender", choices=["male", "female", "other"]), "fields.4", "wider-than-pack"),
    "no choices": (lambda one: changed(one, "gender", choices=[]), "fields.4", "wider-than-pack"),
    "a name not asked for": (lambda one: changed(one, "full_name", required=False), "fields", "wider-than-pack"),
    "no name": (lambda one: without(one, "full_name"), "fields", "wider-than-pack"),
    "a group less": (lambda one: {**one, "one_of": []}, "fields", "wider-than-pack"),
    "a group of nothing": (lambda one: {**one, "one_of": [*one["one_of"], []]}, "one_of", "unknown-field"),
    "a group of strangers": (lambda one: {**one, "one_of": [["shoe_size"]]}, "one_of", "unknown-field"),
    "no field": (lambda one: {**one, "fields": [], "one_of": []}, "fields", "out-of-range"),
    "a field twice": (lambda one: {**one, "fields": [*one["fields"], one["fields"][0]]}, "fields", "out-of-range"),
    "too many fields": (lambda one: {**one, "fields": one["fields"] * 12}, "fields", "out-of-range"),
    "a number out of the world": (lambda one: changed(one, "monthly_income", high=10**13), "fields.12.low", "out-of-range"),
    "a label in one language": (lambda one: changed(one, "iban", labels={"en": "Account"}), "fields.11.labels", "missing"),
    "gender searched": (lambda one: changed(one, "gender", searchable=True), "fields.4.searchable", "low-cardinality"),
    "income searched": (lambda one: changed(one, "monthly_income", searchable=True), "fields.12.searchable", "low-cardinality"),
    "a birth date searched": (lambda one: changed(one, "birth_date", searchable=True), "fields.3.searchable", "low-cardinality"),
}


@pytest.mark.parametrize("case", TYPES)
async def test_a_record_type_that_does_not_hold_is_422_and_names_the_field(till: Desk, case: str):
    change, field, code = TYPES[case]
    answer = await till("admin", "PUT", "/record-types/beneficiary", change(await till.whole()))
    assert answer.status_code == 422
    assert {"field": field, "code": code} in answer.json()["errors"], answer.text
    assert answer.json()["code"] == (code if code == "wider-than-pack" else "invalid")


async def test_a_group_that_asks_for_more_stands_in_the_place_of_the_packs(till: Desk):
    whole = await till.whole()
    strict = changed(without(whole, "identity_note"), "national_id", required=True)
    assert (await till("admin", "PUT", "/record-types/beneficiary", {"fields": strict["fields"]})).json()["state"] == "proposed"
    loose = without(whole, "identity_note")
    assert (await till("admin", "PUT", "/record-types/beneficiary", {"fields": loose["fields"]})).status_code == 422


async def test_a_purpose_made_narrower_stays_so_when_an_older_database_is_put_back(vault: World):
    kept = await store(vault)
    await grant(vault, kept.record)
    vault.clock.forward(1)
    size = len(vault.entries())
    # The line is in the journal and its deed is not in the database.
    vault.association.log.journal.append(size, vault.clock.now, [Closing("purpose", "service_delivery")])
    assert reclose(vault.association, vault.clock) == 1
    with pytest.raises(Refused) as refused:
        await read(vault, kept.record)
    assert refused.value.code == "fields-not-covered"
    assert vault.entries()[-2].flags == ("from-journal",)
    assert reclose(vault.association, vault.clock) == 0
    async with vault.front() as http:
        desk = Desk(vault, http)
        vault.clock.forward(1)
        await desk.lay_down("/purposes/service_delivery", {"action": "use", "forms": ["electronic"]})
    assert reclose(vault.association, vault.clock) == 0
    assert await read(vault, kept.record)
    assert reclose(vault.association, vault.clock) == 0
    vault.association.log.journal.append(size, vault.clock.now, [Closing("purpose", "no_such_purpose")])
    assert reclose(vault.association, vault.clock) == 0


async def test_nothing_of_the_pack_is_wider_than_the_pack(small: World):
    book = await small.association.refresh()
    async with small.front(*RECORDS, *CONSENT) as http:
        desk = Desk(small, http)
        for code, fact in book.purposes.items():
            body = {"action": fact.action, "forms": list(fact.forms), "article": fact.article}
            assert (await desk("admin", "PUT", f"/purposes/{code}", body)).json() == {"state": "in-force"}, code
        for name in book.types:
            assert (await desk("admin", "PUT", f"/record-types/{name}", await desk.whole(name))).json() == {"state": "in-force"}, name


INCOME = {"name": "income_below_support_line", "field": "monthly_income", "below": 4000, "labels": LABELS}


async def test_predicates_are_laid_down_by_two_people_even_where_records_are_stored_and_the_second_sees_the_constant(desk: Desk):
    await store(desk.world)
    whole = await desk.whole()
    before = (await desk.told("/record-types", "beneficiary"))["predicates"]
    assert [each["name"] for each in before] == ["is_minor", "lives_in_riyadh_region"]
    assert (await desk("admin", "PUT", "/record-types/beneficiary", whole)).json() == {"state": "in-force"}, (
        "left out is as the pack has it"
    )
    waits = (await desk("admin", "PUT", "/record-types/beneficiary", {**whole, "predicates": [INCOME]})).json()
    assert waits["state"] == "proposed"
    seen = (await desk("officer", "GET", "/record-types/beneficiary/proposal")).json()["wording"]
    assert seen["predicates"] == [INCOME]
    assert (await desk.told("/record-types", "beneficiary"))["predicates"] == before, "not before it is approved"
    assert (await desk.approve("/record-types/beneficiary", waits["proposal"])).status_code == 200
    assert (await desk.told("/record-types", "beneficiary"))["predicates"] == [INCOME]
    # The constant is bound: the entry of the approval names the digest of the type it stands in.
    [written] = [one for entry in desk.world.entries()[-3:] for one in entry.facts if one.kind == "record_type"]
    assert written.key == "beneficiary"
    assert findings(desk.world) == []


@pytest.mark.parametrize(
    ("predicates", "field", "code"),
    [
        ([{**INCOME, "below": None}], "predicates.0", "out-of-range"),
        ([{**INCOME, "field": "shoe_size"}], "predicates.0", "unknown-field"),
        ([{**INCOME, "field": "national_id"}], "predicates.0", "out-of-range"),
        ([{**INCOME, "name": f"below_{number}", "below": number} for number in range(1, 5)], "predicates.0", "too-many"),
        ([INCOME, INCOME], "predicates.0", "name-taken"),
        ([{**INCOME, "labels": {"ar": "سؤال"}}], "predicates.0.labels", "missing"),
        ([{**INCOME, "labels": {"ar": "سؤال", "en": ""}}], "predicates.0.labels", "out-of-range"),
    ],
)
async def test_a_predicate_that_cannot_stand_is_422_and_names_its_place(till: Desk, predicates: list[Any], field: str, code: str):
    body = {**(await till.whole()), "predicates": predicates}
    answer = await till("admin", "PUT", "/record-types/beneficiary", body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0] == {"field": field, "code": code}


async def test_a_type_without_a_field_has_none_of_its_predicates(till: Desk):
    await till.lay_down("/record-types/beneficiary", without(await till.whole(), "short_address"))
    assert [each["name"] for each in (await till.told("/record-types", "beneficiary"))["predicates"]] == ["is_minor"]
