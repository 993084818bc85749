"""The pack of an association changes by two people, told whom it touches; no older row, no release and no process goes back behind it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from sqlalchemy import delete, insert, select

from tests.household import BASIC, FATIMA, asked, findings, grant, lay_down, partner, read, store, verify, withdraw, written
from tests.identity.test_declarations import Desk
from tests.simulator import World
from vault import examining
from vault.access_log import tables as log_tables
from vault.access_log.entry import Entry
from vault.access_log.verify import snapshot
from vault.consent.api import ROUTES as CONSENT
from vault.errors import Refused, Unavailable
from vault.identity import pack_change, pack_effects
from vault.policy import pack as packs
from vault.policy.pack import Source
from vault.reclosing import reclose
from vault.records.api import ROUTES as RECORDS
from vault.rulebook import facts
from vault.rulebook.association import Association
from vault.rulebook.pinned import JOURNAL, PACK, key_of
from vault.rulebook.shapes import ASSOCIATION, CLIENT, PURPOSE
from vault.rulebook.tables import fact as rows
from vault.storage.journal import Closing

pytestmark = pytest.mark.asyncio(loop_scope="function")
OWN = packs.shipped("cooperative").own
SERVICE = '[purposes.service_delivery]\naction = "use"\nforms = ["written", "electronic"]\n'
YEAR = 367 * 24 * 3600


def renamed(text: str = OWN, version: str = "2026.2") -> str:
    """The pack as another version of it."""
    return text.replace('version = "2026.1"', f'version = "{version}"')


# In writing alone, and kept for two years instead of five.
STRICT = renamed().replace(SERVICE, SERVICE.replace(', "electronic"', "")).replace("beneficiary = 60", "beneficiary = 24")
assert STRICT.count('"written", "electronic"') == OWN.count('"written", "electronic"') - 1


@pytest_asyncio.fixture(loop_scope="function")
async def desk(vault: World):
    async with vault.front(*RECORDS, *CONSENT) as http:
        yield Desk(vault, http)


@pytest_asyncio.fixture(loop_scope="function")
async def till(small: World):
    async with small.front(*RECORDS, *CONSENT) as http:
        yield Desk(small, http)


@contextmanager
def elsewhere(world: World) -> Iterator[Association]:
    """The same association in another process."""
    other = world.reopen()
    try:
        yield other
    finally:
        other.log.close()


async def read_elsewhere(world: World, record: bytes) -> Any:
    """What another process that begins now answers."""
    with elsewhere(world) as other:
        return await read(world, record, through=other)


async def propose(desk: Desk, **body: str) -> dict[str, Any]:
    answer = await desk("admin", "PUT", "/pack", body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def change(desk: Desk, **body: str) -> dict[str, Any]:
    """Propose and approve."""
    told = await propose(desk, **body)
    answer = await desk.approve("/pack", told["proposal"])
    assert answer.status_code == 200, answer.text
    done: dict[str, Any] = answer.json()
    return done


async def _house(desk: Desk) -> tuple[bytes, bytes, bytes]:
    """Three people with consents that stand, the last on paper, and one who withdrew hers; their records."""
    world = desk.world
    fatima, huda, sara, away = [
        await store(world, FATIMA | {"national_id": number}) for number in ("1000000008", "1000000016", "1000000024", "1000000032")
    ]
    for one in (fatima, huda):
        await grant(world, one.record)
    await grant(world, huda.record, await asked(world, "internal_research"))
    # On paper it stays enough; what was withdrawn touches nobody.
    officer = await world.person("officer")
    paper = await grant(world, sara.record, await asked(world, form="written", evidence=written("officer@probe")), officer)
    await verify(world, paper.id, await world.person("second_officer"))
    gone = await grant(world, away.record)
    world.clock.forward(1)
    await withdraw(world, gone.id)
    return fatima.record, huda.record, sara.record


async def test_whom_another_version_touches_is_counted_and_listed_without_a_value(desk: Desk):
    world = desk.world
    fatima, huda, sara = await _house(desk)
    told = await propose(desk, text=STRICT)
    assert (told["pack"]["name"], told["pack"]["version"], told["review_only"]) == ("cooperative", "2026.2", False)
    service = next(one for one in told["purposes"] if one["code"] == "service_delivery")
    assert (service["change"], service["narrower"]) == ("changed", True)
    assert (service["before"]["forms"], service["after"]["forms"]) == (["electronic", "written"], ["written"])
    assert service["consents"] == [{"recipient": "INTERNAL", "wider": 0, "insufficient": 2, "narrower": 0, "shorter": 1}]
    research = next(one for one in told["purposes"] if one["code"] == "internal_research")
    no_change = [{"recipient": "INTERNAL", "wider": 0, "insufficient": 0, "narrower": 0, "shorter": 1}]
    assert (research["change"], research["consents"]) == (None, no_change)
    assert told["otherwise"] == {"retention_months": {"beneficiary": {"before": 60, "after": 24}}}
    assert (told["totals"], told["people"]) == ({"wider": 0, "insufficient": 2, "narrower": 0, "shorter": 2}, 3)
    assert not any(value in str(told) for value in FATIMA.values() if isinstance(value, str))
    # Nothing is otherwise before the approval; the second person sees the same, and page by page who is touched.
    assert await read(world, fatima)
    seen = (await desk("officer", "GET", "/pack/proposal")).json()
    assert {**seen, "counted_at": ""} == {**told, "counted_at": ""}
    assert (await desk("officer", "GET", "/pack")).json()["proposal"] == told["proposal"]
    found, after = [], ""
    while True:
        page = (await desk("officer", "GET", f"/pack/proposal/affected?limit=1{after}")).json()
        found += [(one["record"], one["purpose"], one["effect"]) for one in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    names = {one: one.hex() for one in (fatima, huda, sara)}
    assert sorted((record.replace("-", ""), purpose, effect) for record, purpose, effect in found) == sorted(
        [
            (names[fatima], "service_delivery", "insufficient"),
            (names[huda], "service_delivery", "insufficient"),
            (names[huda], "internal_research", "shorter"),
            (names[sara], "service_delivery", "shorter"),
        ]
    )
    one = (await desk("officer", "GET", "/pack/proposal/affected?purpose=internal_research&recipient=INTERNAL")).json()["items"]
    assert [each["effect"] for each in one] == ["shorter"]
    assert (await desk("officer", "GET", "/pack/proposal/affected?recipient=partner")).json()["items"] == []
    listed = [entry for entry in world.entries() if entry.kind == "pack.affected" and entry.about]
    assert {about.record for entry in listed for about in entry.about} == {fatima, huda, sara}


async def test_consents_that_were_not_enough_and_would_be_are_counted_and_listed_before_they_open(till: Desk):
    fatima, huda, _ = await _house(till)
    await change(till, text=STRICT)
    told = await propose(till, pack="cooperative")
    service = next(one for one in told["purposes"] if one["code"] == "service_delivery")
    assert (service["change"], service["narrower"]) == ("changed", False)
    assert service["consents"] == [{"recipient": "INTERNAL", "wider": 2, "insufficient": 0, "narrower": 0, "shorter": 0}]
    listed = (await till("officer", "GET", "/pack/proposal/affected")).json()["items"]
    assert {(one["record"].replace("-", ""), one["effect"]) for one in listed} == {(fatima.hex(), "wider"), (huda.hex(), "wider")}


async def _approved_after_refusals(desk: Desk, proposal: str, record: bytes) -> None:
    """Approve, after another proposal's id and a wrong code were refused and nothing was otherwise by that."""
    assert (await desk.approve("/pack", "00000000-0000-4000-8000-000000000000")).status_code == 409
    wrong = await desk("officer", "POST", "/pack/approval", {"proposal": proposal, "code": "000000"})
    assert (wrong.status_code, wrong.json()["code"]) == (403, "step-up-required")
    assert await read(desk.world, record)
    done = await desk.approve("/pack", proposal)
    assert (done.status_code, done.json()["number"], done.json()["version"]) == (200, 2, "2026.2")


async def test_another_version_is_in_force_at_once_everywhere_and_its_history_is_told(desk: Desk):
    world = desk.world
    fatima, _, sara = await _house(desk)
    officer = await world.person("officer")
    with elsewhere(world) as other:
        assert await read(world, fatima, through=other)
        told = await propose(desk, text=STRICT)
        assert (await desk("officer", "GET", "/pack/proposal")).status_code == 200
        await _approved_after_refusals(desk, told["proposal"], fatima)
        for answer in (read(world, fatima), read(world, fatima, through=other), read_elsewhere(world, fatima)):
            with pytest.raises(Refused) as refused:
                await answer
            assert (refused.value.code, refused.value.article) == ("evidence-insufficient", "cooperative:6.1")
    assert await read(world, sara)
    versions = (await desk("admin", "GET", "/pack/versions")).json()["items"]
    assert [(each["number"], each["proposed_by"], each["approved_by"], each["reviewed"]) for each in versions] == [
        (2, (await world.person("admin")).ref, officer.ref, False),
        (1, None, None, False),
    ]
    assert [each["sha256"] for each in versions] == [told["pack"]["sha256"], packs.shipped("cooperative").sha256]
    assert (await desk("officer", "GET", "/pack/versions/2")).json()["text"] == STRICT
    assert (await desk("officer", "GET", "/pack/versions/3")).status_code == 404
    assert [line.closing for line in world.association.log.journal.lines()][-1] == Closing(JOURNAL, "service_delivery", "2")
    kinds = [entry.kind for entry in world.entries() if entry.kind.startswith("pack.") and entry.outcome == "allow"]
    assert [kind for kind in kinds if kind != "pack.affected"] == [
        "pack.proposed",
        *["pack.weighed"] * 2,
        "pack.approved",
        "pack.purpose-narrowed",
    ]
    assert (await desk("officer", "GET", "/pack/proposal")).status_code == 409
    assert findings(world) == []
    assert reclose(world.association, world.clock) == 0


async def test_the_same_person_does_not_approve_what_she_proposed(till: Desk):
    world = till.world
    told = await propose(till, text=STRICT)
    waits = await world.association.run(lambda deed: facts.read(deed, pack_change.PROPOSAL, "newest"))
    assert waits is not None
    officer = (await world.person("officer")).ref
    await lay_down(world, pack_change.PROPOSAL, "newest", msgspec.structs.replace(waits, proposed_by=officer))
    refused = await till.approve("/pack", told["proposal"])
    assert (refused.status_code, refused.json()["code"], refused.json()["article"]) == (403, "same-person", "cooperative:7")
    assert world.entries()[-1].reason == "SAME_PERSON"
    # Who lays down does not approve, and who approves does not lay down.
    assert (await till("admin", "POST", "/pack/approval", {"proposal": told["proposal"]})).json()["code"] == "out-of-scope"
    assert (await till("officer", "PUT", "/pack", {"pack": "health"})).json()["code"] == "out-of-scope"
    assert (await till("admin", "GET", "/pack/proposal/affected")).json()["code"] == "out-of-scope"
    assert (await till.approve("/pack", told["proposal"], "second_officer")).status_code == 200


REFUSED: dict[str, tuple[dict[str, Any], str, list[dict[str, str]]]] = {
    "an electronic word for what leaves": (
        {"text": renamed().replace('action = "disclose"\nforms = ["written"]', 'action = "disclose"\nforms = ["electronic"]')},
        "pack-refused",
        [{"field": "purposes.partner_sharing.forms", "code": "form-too-weak"}],
    ),
    "a sale": (
        {"text": renamed().replace("sale = false", "sale = true")},
        "pack-refused",
        [{"field": "switches.sale", "code": "stays-shut"}],
    ),
    "a longer time than the law's": (
        {"text": renamed().replace("breach_to_authority_hours = 72", "breach_to_authority_hours = 96")},
        "pack-refused",
        [{"field": "reply.breach_to_authority_hours", "code": "longer-than-law"}],
    ),
    "a duty without consent": (
        {"text": renamed().replace(SERVICE, SERVICE.replace('forms = ["written", "electronic"]', 'basis = "law"'))},
        "pack-refused",
        [{"field": "purposes.service_delivery", "code": "law-only"}],
    ),
    "no pack at all": ({"text": "= ="}, "pack-refused", [{"field": "text", "code": "not-toml"}]),
    "the law itself": (
        {"text": packs.shipped("sa-pdpl").own},
        "pack-refused",
        [{"field": "kind", "code": "out-of-range"}],
    ),
    "the law by name": ({"pack": "sa-pdpl"}, "pack-refused", [{"field": "kind", "code": "out-of-range"}]),
    "a name of no pack": ({"pack": "no-such"}, "invalid", [{"field": "pack", "code": "out-of-range"}]),
    "nothing": ({}, "invalid", [{"field": "pack", "code": "missing"}]),
    "both": ({"pack": "health", "text": STRICT}, "invalid", [{"field": "pack", "code": "out-of-range"}]),
    "names within names without end": (
        {"text": f"{'.'.join('a' * 3000)} = 1"},
        "pack-refused",
        [{"field": "text", "code": "not-toml"}],
    ),
    "tables within tables without end": (
        {"text": "x = " + f"{{{'.'.join('a' * 200)} = [\n" * 9 + "1" + "]}" * 9},
        "pack-refused",
        [{"field": "text", "code": "not-toml"}],
    ),
    "a number without end": ({"text": f"x = {'1' * 5000}"}, "pack-refused", [{"field": "text", "code": "not-toml"}]),
    "a text too long": ({"text": "#" * 262_145}, "invalid", [{"field": "text", "code": "out-of-range"}]),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_pack_that_weakens_the_law_or_is_none_is_422_and_names_the_place(till: Desk, case: str):
    body, code, errors = REFUSED[case]
    answer = await till("admin", "PUT", "/pack", body)
    assert (answer.status_code, answer.json()["code"], answer.json()["errors"]) == (422, code, errors)
    assert (await till("officer", "GET", "/pack/proposal")).status_code == 404


async def test_another_law_is_refused(till: Desk, monkeypatch: pytest.MonkeyPatch):
    real = packs.lint
    monkeypatch.setattr(packs, "lint", lambda text: _other_law(real(text)))
    answer = await till("admin", "PUT", "/pack", {"text": STRICT})
    assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": "law", "code": "out-of-range"}])


def _other_law(pack: packs.Pack) -> packs.Pack:
    object.__setattr__(pack, "law", "another-law")
    return pack


async def test_one_version_has_one_text(till: Desk):
    other = OWN.replace("beneficiary = 60", "beneficiary = 24")
    taken = await till("admin", "PUT", "/pack", {"text": other})
    assert (taken.status_code, taken.json()["code"]) == (409, "pack-version-taken")
    await change(till, text=STRICT)
    taken = await till("admin", "PUT", "/pack", {"text": renamed()})
    assert (taken.status_code, taken.json()["code"]) == (409, "pack-version-taken")
    assert (await propose(till, text=STRICT))["review_only"]
    assert not (await propose(till, pack="cooperative"))["review_only"]


async def test_what_waits_is_replaced_taken_back_and_approved_once(till: Desk):
    for path in ("/pack/proposal", "/pack/proposal/affected"):
        assert (await till("officer", "GET", path)).status_code == 404
    assert (await till.approve("/pack", "00000000-0000-4000-8000-000000000000")).status_code == 404
    assert (await till("admin", "DELETE", "/pack/proposal")).status_code == 404
    first = await propose(till, text=STRICT)
    second = await propose(till, pack="health")
    assert (await till.approve("/pack", first["proposal"])).status_code == 409
    assert (await till("admin", "DELETE", "/pack/proposal")).json()["proposal"] is None
    assert (await till.approve("/pack", second["proposal"])).status_code == 409
    assert (await till("officer", "POST", "/pack/approval", {"proposal": "x"})).json()["errors"] == [
        {"field": "proposal", "code": "out-of-range"}
    ]
    third = await propose(till, pack="health")
    assert (await till.approve("/pack", third["proposal"])).status_code == 200
    assert (await till.approve("/pack", third["proposal"])).status_code == 409


async def test_a_proposal_that_would_do_other_things_by_now_is_not_approved(till: Desk):
    told = await propose(till, text=STRICT)
    await till.lay_down("/purposes/service_delivery", {"action": "use", "forms": ["electronic"]})
    moved = await till.approve("/pack", told["proposal"])
    assert (moved.status_code, moved.json()["code"]) == (409, "pack-proposal-moved")
    assert (await till("officer", "GET", "/pack")).json()["number"] == 1


async def test_a_proposal_over_a_pack_that_ships_anew_or_falls_under_the_floor_is_not_approved(till: Desk):
    world = till.world
    told = await propose(till, pack="health")
    waits = await world.association.run(lambda deed: facts.read(deed, pack_change.PROPOSAL, "newest"))
    assert waits is not None
    await lay_down(world, pack_change.PROPOSAL, "newest", msgspec.structs.replace(waits, below=renamed()))
    assert (await till.approve("/pack", told["proposal"])).json()["code"] == "pack-proposal-moved"
    loose = waits.own.replace("sale = false", "sale = true")
    await lay_down(world, pack_change.PROPOSAL, "newest", msgspec.structs.replace(waits, own=loose))
    refused = await till.approve("/pack", told["proposal"])
    assert (refused.status_code, refused.json()["code"]) == (422, "pack-refused")


async def test_another_pack_brings_its_purposes_types_and_notices_and_leaving_it_shuts_them(desk: Desk):
    world = desk.world
    await partner(world)
    fatima = await store(world)
    told = await propose(desk, pack="health")
    added = [one["code"] for one in told["purposes"] if one["change"] == "added"]
    assert (added, told["types"], told["notices"]) == (["application", "survey"], ["application", "survey"], ["application", "survey"])
    assert told["totals"] == {"wider": 0, "insufficient": 0, "narrower": 0, "shorter": 0}
    await desk.approve("/pack", told["proposal"])
    assert (await desk("key", "GET", "/notices/current?purpose=application")).status_code == 200
    # A system's key opens the purposes it was given; the new ones are given to it like any other.
    book = await world.association.book()
    for key, client in book.clients.items():
        await lay_down(world, CLIENT, key, msgspec.structs.replace(client, purposes=(*client.purposes, "survey")))
    await grant(world, fatima.record, await asked(world, "survey"))
    assert await read(world, fatima.record, "survey")
    verdict = (await desk("officer", "GET", "/pack")).json()
    assert (verdict["name"], verdict["title"]["en"]) == ("health", "Policy on relations with beneficiaries of a health association")
    back = await propose(desk, pack="cooperative")
    gone = {one["code"]: (one["change"], one["consents"]) for one in back["purposes"] if one["change"] == "shut"}
    assert gone == {
        "application": ("shut", []),
        "survey": ("shut", [{"recipient": "INTERNAL", "wider": 0, "insufficient": 1, "narrower": 0, "shorter": 0}]),
    }
    await desk.approve("/pack", back["proposal"])
    with pytest.raises(Refused) as refused:
        await read(world, fatima.record, "survey")
    assert (refused.value.code, refused.value.article) == ("fields-not-covered", "cooperative:goals.satisfaction")
    # What the pack shut, the pack opens again; the consent given under it never went away.
    await change(desk, pack="health")
    assert await read(world, fatima.record, "survey")
    assert findings(world) == []


async def test_what_the_association_narrowed_stays_narrow_under_any_pack(till: Desk):
    world = till.world
    kept = await store(world)
    await grant(world, kept.record)
    await till.lay_down("/purposes/service_delivery", {"action": "use", "forms": ["written", "electronic"], "classes": ["identity"]})
    own = {"action": "use", "forms": ["written"], "article": "6.1", "title": {"ar": "حملة الشتاء", "en": "Winter campaign"}}
    await till.lay_down("/purposes/winter", own)
    # What a pack narrowed further is as wide again as two people here had it, once a pack lets it.
    await change(till, text=renamed(version="2026.9").replace(SERVICE, SERVICE.replace('"written", ', "")))
    assert (await world.association.refresh()).purposes["service_delivery"].forms == ("electronic",)
    await change(till, pack="cooperative")
    assert (await world.association.refresh()).purposes["service_delivery"].forms == ("electronic", "written")
    # Another wording that waits does not make the one in force forgotten.
    await till("admin", "PUT", "/purposes/service_delivery", {"action": "use", "forms": ["written", "electronic"]})
    await change(till, pack="health")
    book = await world.association.refresh()
    service = book.purposes["service_delivery"]
    assert (service.classes, service.proof, service.forms) == (("identity",), "vault", ("electronic", "written"))
    winter = book.purposes["winter"]
    assert (winter.from_pack, winter.classes, winter.proof, winter.forms) == (False, None, "vault", ("written",))
    # A purpose of one's own that fits into nothing of the new pack is shut, and open again where it fits.
    no_service = renamed().replace('article = "6.1"\nlaw = "5"', 'article = "6.3"\nlaw = "5"')
    await change(till, text=no_service)
    book = await world.association.refresh()
    assert book.purposes["winter"].classes == ()
    assert (book.purposes["service_delivery"].classes, book.purposes["service_delivery"].article) == (("identity",), "6.3")
    await change(till, pack="cooperative")
    book = await world.association.refresh()
    assert (book.purposes["winter"].classes, book.purposes["service_delivery"].classes) == (None, ("identity",))


async def test_a_type_with_records_keeps_its_fields_and_one_without_takes_the_new_packs(till: Desk):
    world = till.world
    await store(world)
    shorter = renamed().replace("beneficiary = 60", "beneficiary = 48")
    field = '[record_types.{}.fields.pet]\nid = 900\nkind = "text"\nclass = "identity"\nar = "حيوان"\nen = "pet"\n'
    told = await propose(till, text=shorter + "".join(field.format(name) for name in ("beneficiary", "donor")))
    assert (told["types"], told["kept_types"]) == (["donor"], ["beneficiary"])
    await till.approve("/pack", told["proposal"])
    book = await world.association.refresh()
    assert [name for name in ("beneficiary", "donor") if any(one.name == "pet" for one in book.types[name].fields)] == ["donor"]
    # What the association narrowed of a type stays; a number that another type has is refused.
    whole = await till.whole("member")
    dropped = next(
        one["name"] for one in whole["fields"] if not one["required"] and not any(one["name"] in group for group in whole["one_of"])
    )
    await till.lay_down("/record-types/member", {**whole, "fields": [one for one in whole["fields"] if one["name"] != dropped]})
    assert (await propose(till, pack="cooperative"))["kept_types"] == ["member"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (
            [
                ("[record_types.donor]\nid = 5", "[record_types.donor]\nid = 1"),
                ("[record_types.beneficiary]\nid = 1", "[record_types.beneficiary]\nid = 99"),
            ],
            "donor.id",
        ),
        ([("[record_types.donor]\nid = 5", "[record_types.donor]\nid = 32768")], "donor.id"),
        ([("email = { id = 8,", "email = { id = 80,")], "contact_person.fields.email"),
    ],
    ids=["of a type that stays", "of the association's own", "of a field of a type that stays"],
)
async def test_numbers_that_are_taken_are_refused(till: Desk, changes: list[tuple[str, str]], field: str):
    await store(till.world)
    text = renamed()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    answer = await till("admin", "PUT", "/pack", {"text": text})
    assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": f"record_types.{field}", "code": "number-twice"}])


async def test_an_older_row_put_back_opens_nothing(desk: Desk):
    world = desk.world
    kept = await store(world)
    await grant(world, kept.record)
    before = _rows(world)
    await change(desk, text=STRICT)
    after = _rows(world)
    for place in (("association", world.code), ("purpose", "service_delivery"), ("pack", key_of(2))):
        _put(world, place, before.get(place) or after[("pack", key_of(1))])
        with pytest.raises(Unavailable) as refused:
            await read_elsewhere(world, kept.record)
        assert refused.value.code == "integrity"
        _put(world, place, after[place])
    with pytest.raises(Refused):
        await read_elsewhere(world, kept.record)
    _put(world, ("pack", key_of(2)), None)
    with pytest.raises(Unavailable):
        await read_elsewhere(world, kept.record)


async def test_words_that_the_vault_wrote_but_are_not_those_of_the_hash_open_nothing(till: Desk):
    world = till.world
    kept = await store(world)
    await grant(world, kept.record)
    await change(till, text=STRICT)
    known = await world.association.run(lambda deed: facts.read(deed, PACK, key_of(2)))
    assert known is not None
    await lay_down(world, PACK, key_of(2), msgspec.structs.replace(known, own=OWN))
    with pytest.raises(Unavailable):
        await read_elsewhere(world, kept.record)
    await lay_down_blind(world, known, own="= =")
    with pytest.raises(Unavailable):
        await read_elsewhere(world, kept.record)


async def lay_down_blind(world: World, known: Any, *, own: str) -> None:
    """Write a version and the hash that names it, past the reading of the book, as no deed of the vault does."""
    broken = msgspec.structs.replace(known, own=own, sha256=Source(own).sha256)
    held = world.association.books.latest
    assert held is not None
    mine = msgspec.structs.replace(held.association, pack_sha256=broken.sha256)

    def unit(deed: Any) -> None:
        told = (facts.write(deed, PACK, key_of(2), broken), facts.write(deed, ASSOCIATION, world.code, mine))
        deed.append(Entry(kind="test.written", outcome="allow", actor="system", facts=told), changes_law=True)

    await world.association.run(unit)


def _rows(world: World) -> dict[tuple[str, str], tuple[int, bytes]]:
    with world.database.connect() as connection:
        found = connection.execute(
            select(rows.c.kind, rows.c.key, rows.c.version, rows.c.sealed).where(rows.c.association_id == world.association.id)
        )
        return {(kind, key): (version, bytes(sealed)) for kind, key, version, sealed in found}


def _put(world: World, place: tuple[str, str], row: tuple[int, bytes] | None) -> None:
    """Put a row in the place of the one that lies there, as somebody with the database would."""
    with world.database.connect() as connection, connection.begin():
        connection.execute(
            delete(rows).where(rows.c.association_id == world.association.id, rows.c.kind == place[0], rows.c.key == place[1])
        )
        if row is not None:
            values = {"association_id": world.association.id, "kind": place[0], "key": place[1], "version": row[0], "sealed": row[1]}
            connection.execute(insert(rows).values(**values))


async def test_what_a_pack_made_narrower_stays_so_when_an_older_database_is_put_back(vault: World):
    kept = await store(vault)
    await grant(vault, kept.record)
    vault.clock.forward(1)
    # The line is in the journal and its deed is not in the database.
    vault.association.log.journal.append(len(vault.entries()), vault.clock.now, [Closing(JOURNAL, "service_delivery", "2")])
    assert reclose(vault.association, vault.clock) == 1
    with pytest.raises(Refused) as refused:
        await read(vault, kept.record)
    assert refused.value.code == "fields-not-covered"
    assert reclose(vault.association, vault.clock) == 0
    async with vault.front() as http:
        desk = Desk(vault, http)
        vault.clock.forward(1)
        told = await change(desk, pack="cooperative")
    assert (told["number"], told["reviewed"]) == (2, True)
    assert reclose(vault.association, vault.clock) == 0
    assert await read(vault, kept.record)


async def test_no_release_changes_a_pack_behind_two_peoples_back(till: Desk, monkeypatch: pytest.MonkeyPatch):
    world = till.world
    real = packs._text_of
    monkeypatch.setattr(packs, "_text_of", lambda name: STRICT if name == "cooperative" else real(name))
    for cached in (packs.load, packs.shipped):
        cached.cache_clear()
    try:
        world.association.books.latest = None
        told = (await till("officer", "GET", "/pack")).json()
        assert (told["version"], told["ships"]["version"], told["number"]) == ("2026.1", "2026.2", 1)
        assert (await world.association.book()).pack.retention_months["beneficiary"] == 60
        assert (await change(till, pack="cooperative"))["version"] == "2026.2"
        assert (await world.association.book()).pack.retention_months["beneficiary"] == 24
    finally:
        monkeypatch.undo()
        for cached in (packs.load, packs.shipped):
            cached.cache_clear()


async def test_an_association_of_before_there_were_versions_is_under_the_pack_that_ships(till: Desk):
    world = till.world
    own = (await world.association.book()).association
    await lay_down(world, ASSOCIATION, world.code, msgspec.structs.replace(own, pack_number=0, pack_version="", pack_sha256=""))
    with world.database.connect() as connection, connection.begin():
        for table in (log_tables.fact.c.fact_kind, rows.c.kind):
            connection.execute(delete(table.table).where(table == "pack"))
    told = (await till("officer", "GET", "/pack")).json()
    assert (told["number"], told["version"], told["sha256"]) == (0, "2026.1", packs.shipped("cooperative").sha256)
    assert (await change(till, pack="cooperative"))["number"] == 1


async def test_the_pack_is_looked_at_every_year_and_that_is_told_until_two_people_did(till: Desk):
    world = till.world
    told = (await till("officer", "GET", "/pack")).json()
    assert (told["review_due"], told["is_overdue"]) == ("2027-01-01", False)
    assert [line for line in _doctor(world, await world.association.book()) if line.startswith("pack")] == []
    world.clock.forward(YEAR)
    till.tokens = {"key": world.ceremony.api_key}
    assert (await till("officer", "GET", "/pack")).json()["is_overdue"]
    assert _doctor(world, await world.association.book()) == [
        "pack: cooperative, its review was due on 2027-01-01; propose it anew, changed or not (PUT /v1/pack)"
    ]
    told = await propose(till, pack="cooperative")
    assert (told["review_only"], told["purposes"], told["otherwise"]) == (True, [], {})
    assert (await till.approve("/pack", told["proposal"])).json()["reviewed"]
    again = (await till("officer", "GET", "/pack")).json()
    assert (again["review_due"][:7], again["is_overdue"], again["number"]) == ("2028-01", False, 2)
    assert _doctor(world, await world.association.book()) == []


async def test_the_doctor_names_a_pack_that_this_release_would_not_let_in(till: Desk, monkeypatch: pytest.MonkeyPatch):
    def refuse(_: str) -> Source:
        raise packs.PackRefused("reply", "longer-than-law")

    monkeypatch.setattr(examining, "source", refuse)
    found = _doctor(till.world, await till.world.association.book())
    assert found == ["pack: cooperative 2026.1 does not hold under the packs of this release (reply: longer-than-law); change it"]


def _doctor(world: World, book: Any) -> list[str]:
    with snapshot(world.database, world.association.id) as connection:
        return list(examining._pack_review(connection, world.association.cabinet, world.association.id, book, world.clock.now))


async def test_everybody_is_counted_however_many_are_looked_at_at_once(till: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pack_effects, "AT_ONCE", 2)
    world = till.world
    for number in ("1000000008", "1000000016", "1000000024", "1000000032", "1000000040"):
        kept = await store(world, FATIMA | {"national_id": number})
        await grant(world, kept.record, await asked(world, fields=frozenset(BASIC)))
    told = await propose(till, text=renamed().replace(SERVICE, SERVICE + 'classes = ["identity"]\n'))
    assert told["totals"] == {"wider": 0, "insufficient": 0, "narrower": 5, "shorter": 0}
    assert (await world.association.refresh()).purposes["service_delivery"] == await _fact(world, "service_delivery")


async def _fact(world: World, code: str) -> Any:
    return await world.association.run(lambda deed: facts.read(deed, PURPOSE, code))


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (SERVICE, SERVICE.replace('"use"', '"contact"\nchannel = "call"'), "purposes.service_delivery"),
        ('channel = "sms"\nforms = ["electronic"]', 'channel = "call"\nforms = ["electronic"]', "purposes.sms_offers"),
    ],
)
async def test_no_pack_makes_of_what_people_agreed_to_something_else(desk: Desk, old: str, new: str, field: str):
    record = (await store(desk.world, FATIMA)).record
    await grant(desk.world, record)
    text = renamed().replace(old, new, 1)
    assert text != renamed()
    answer = await desk("admin", "PUT", "/pack", {"text": text})
    assert (answer.status_code, answer.json()["code"], answer.json()["errors"]) == (
        422,
        "pack-refused",
        [{"field": field, "code": "other-deed"}],
    )
