"""Agreements with parties outside: made by two people, and a party's own system reads under one in force and under nothing else."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.access.counter import Counter, told
from tests.access.desk import Row, put, rows_of, written
from tests.access.test_race import MODES, Second, second_process
from tests.access.test_tampering import told as laid_out
from tests.household import agreement, asked, grant, partner, verify
from tests.household import written as paper
from tests.simulator import World
from vault.access import agreements, reading
from vault.access.verdicts import Asked
from vault.access_log.deed import Deed
from vault.access_log.verify import snapshot
from vault.access_log.verify import verify as verify_log
from vault.errors import Refused, Unavailable
from vault.examining import examine
from vault.policy.facts import INTERNAL
from vault.rulebook.asker import Errand
from vault.rulebook.shapes import AGREEMENT
from vault.rulebook.tables import fact
from vault.settings import Settings
from vault.storage.journal import Closing

pytestmark = pytest.mark.asyncio(loop_scope="function")
laid = laid_out
DAY = 24 * 3600
ACTIONS = ("use", "contact", "publish", "disclose")


async def read(counter: Counter, record: bytes, who: str = "partner", purpose: str = "partner_sharing", fields: str = "mobile") -> Any:
    """One read of this record by the party's system: status and code, or the values."""
    answer = await counter.ask(who, "GET", f"/records/{written(record)}?purpose={purpose}&fields={fields}")
    return answer.json()["fields"] if answer.status_code == 200 else told(answer)


async def everywhere(counter: Counter, record: bytes) -> set[str]:
    """What the party's system hears at every call that could give or tell something: one code for all of them."""
    question = {"record": written(record), "action": "disclose", "purpose": "partner_sharing", "recipient": "partner", "fields": ["mobile"]}
    many = {"ids": [written(record)], "purpose": "partner_sharing", "fields": ["mobile"]}
    said = await counter.ask("partner", "POST", "/records/read", many)
    one = await counter.ask("partner", "POST", "/decisions", question)
    batch = await counter.ask("partner", "POST", "/decisions/batch", {"items": [question]})
    plain = await read(counter, record)
    return {
        "ok" if isinstance(plain, dict) else plain[1],
        *(result["problem"]["code"] if "problem" in result else "ok" for result in said.json()["results"]),
        *(each["reason"].lower().replace("_", "-").removeprefix("consent-") for each in (one.json(), *batch.json()["results"])),
    }


async def test_a_partners_system_reads_under_an_agreement_of_two_people_and_not_before_or_after(counter: Counter):
    kept = await counter.agreed()
    await counter.system_of()
    assert await everywhere(counter, kept.record) == {"no-agreement"}
    body = counter.agreement()
    made = await counter.ask("officer", "POST", "/agreements", body, **{"Idempotency-Key": "0123456789abcdef"})
    assert (made.status_code, made.json()["state"]) == (201, "registered")
    again = await counter.ask("officer", "POST", "/agreements", body, **{"Idempotency-Key": "0123456789abcdef"})
    assert again.json() == made.json()
    path = f"/agreements/{made.json()['id']}"
    assert await everywhere(counter, kept.record) == {"no-agreement"}
    assert told(await counter.approve("officer", f"{path}/approval")) == (403, "same-person")
    assert told(await counter.ask("second_officer", "POST", f"{path}/approval")) == (403, "step-up-required")
    approved = await counter.approve("second_officer", f"{path}/approval")
    assert (approved.status_code, approved.json()) == (200, {"id": made.json()["id"], "state": "in-force"})
    assert told(await counter.approve("second_officer", f"{path}/approval")) == (409, "conflict")
    assert await everywhere(counter, kept.record) == {"ok"}
    id_ = uuid.UUID(made.json()["id"]).hex
    allowed = [entry for entry in counter.world.entries() if entry.kind in {"record.read", "decision"} and entry.outcome == "allow"]
    assert {(entry.agreement, entry.basis) for entry in allowed} == {(id_, "written_consent")}
    counter.world.clock.forward(1)
    ended = await counter.ask("officer", "POST", f"{path}/revocation")
    assert (ended.status_code, ended.json()["state"]) == (200, "revoked")
    assert [line.closing for line in counter.world.association.log.journal.lines()][-1] == Closing("agreement", id_)
    assert await everywhere(counter, kept.record) == {"no-agreement"}
    count = len(counter.world.entries())
    assert (await counter.ask("officer", "POST", f"{path}/revocation")).json()["state"] == "revoked"
    assert len(counter.world.entries()) == count
    shown = (await counter.ask("second_officer", "GET", path)).json()
    assert {name: shown[name] for name in body} == body
    assert shown["state"] == "revoked"
    assert shown["registered_by"] != shown["approved_by"]


async def test_it_is_in_force_from_its_first_day_to_its_last_in_riyadh_and_no_longer(small_counter: Counter):
    counter, clock = small_counter, small_counter.world.clock
    kept = await counter.agreed()
    await counter.system_of()
    id_ = await counter.allied(**{"from": counter.day(1), "until": counter.day(1)})
    state = lambda: counter.ask("admin", "GET", f"/agreements/{id_}")  # noqa: E731 - one line, four times
    assert (await state()).json()["state"] == "to-come"
    assert await read(counter, kept.record) == (403, "no-agreement")
    begins = (await counter.world.association.refresh()).agreements[uuid.UUID(id_).hex].valid_from
    clock.now = begins - 1
    assert await read(counter, kept.record) == (403, "no-agreement")
    clock.now = begins
    assert await read(counter, kept.record) == {"mobile": "+966551234567"}
    clock.now = begins + DAY * 1_000_000 - 1
    assert (await read(counter, kept.record)) == {"mobile": "+966551234567"}
    assert told(await counter.ask("partner", "GET", f"/records/{written(kept.record)}?purpose=partner_sharing&fields=mobile"))[0] == 200
    clock.now += 1
    assert await read(counter, kept.record) == (403, "no-agreement")
    counter.tokens.pop("admin", None)
    assert (await state()).json()["state"] == "over"


async def test_what_it_does_not_name_is_not_read_under_it(small_counter: Counter):
    counter = small_counter
    kept = await counter.agreed()
    await counter.system_of()
    for changes in ({"classes": ["finance"]}, {"record_types": ["donor"]}):
        await counter.allied(**changes)
        assert await read(counter, kept.record) == (403, "no-agreement"), changes
    await counter.recipient("other")
    await counter.allied(recipient="other")
    assert await read(counter, kept.record) == (403, "no-agreement")
    await counter.allied(classes=["contact"])
    assert await read(counter, kept.record, fields="full_name,mobile") == (403, "no-agreement"), "two are not added together"
    assert await read(counter, kept.record) == {"mobile": "+966551234567"}


async def test_every_purpose_with_both_parties(small_counter: Counter):
    """What the house may is not what a partner may; and under an agreement about everything there is a partner gets what names it alone."""
    counter, world = small_counter, small_counter.world
    kept = await counter.agreed()
    await counter.recipient("other")
    book = await world.association.refresh()
    for purpose, laid_down in sorted(book.purposes.items()):
        if laid_down.basis == "consent" and laid_down.action != "disclose" and book.current_notice(purpose) is not None:
            form = "electronic" if "electronic" in laid_down.forms else "written"
            more = {"form": form, "evidence": paper("second_officer@probe", world.clock.now)} if form == "written" else {}
            given = await grant(world, kept.record, await asked(world, purpose, fields=frozenset({"mobile"}), **more))
            if form == "written":
                await verify(world, given.id, await world.person("officer"))
    everything = {"scopes": ("decisions:ask", "records:read"), "purposes": tuple(sorted(book.purposes))}
    await counter.system_of("partner", **everything)
    await counter.system_of("other", **everything)

    async def permitted(who: str) -> set[tuple[str, str, str]]:
        found = set()
        for purpose in book.purposes:
            for action in ACTIONS:
                for recipient in (INTERNAL, "partner", "other"):
                    question = {"record": written(kept.record), "action": action, "purpose": purpose, "recipient": recipient}
                    answer = await counter.ask(who, "POST", "/decisions", {**question, "fields": ["mobile"]})
                    if answer.json()["decision"] == "permit":
                        found.add((purpose, action, recipient))
        return found

    inside = await permitted("key")
    assert ("service_delivery", "use", INTERNAL) in inside
    assert await permitted("partner") == await permitted("other") == set()
    await agreement(world, "partner")
    await agreement(world, "other")
    assert await permitted("partner") == {("partner_sharing", "disclose", "partner")}
    assert await permitted("other") == set(), "an agreement is nobody's consent"
    assert await permitted("key") == inside


async def test_a_package_released_by_two_people_and_an_order_need_none(small_counter: Counter):
    kept = await small_counter.agreed()
    given = await small_counter.package(await small_counter.approved(kept.record))
    assert given.status_code == 200
    assert [entry.agreement for entry in small_counter.world.entries() if entry.kind == "disclose"] == [None]
    await small_counter.recipient("court", kind="authority")
    order = await small_counter.ordered(kept.record)
    question = {"record": written(kept.record), "action": "disclose", "purpose": "legal_order", "recipient": "court", "fields": ["mobile"]}
    assert (await small_counter.ask("officer", "POST", "/decisions", question)).json()["reason"] == "ORDER_OK"
    assert order


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"recipient": "nobody"}, "recipient", "unknown-recipient"),
        ({"recipient": "gone"}, "recipient", "unknown-recipient"),
        ({"purposes": ["partner_sharing", "nothing"]}, "purposes.1", "unknown-purpose"),
        ({"purposes": ["service_delivery"]}, "purposes.0", "action-mismatch"),
        ({"purposes": ["legal_order"]}, "purposes.0", "action-mismatch"),
        ({"record_types": ["dragon"]}, "record_types.0", "unknown-type"),
        ({"classes": ["contact", "secret"]}, "classes.1", "unknown-class"),
        ({"classes": ["contact", "contact"]}, "classes", "out-of-range"),
        ({"until": "2025-01-01"}, "until", "out-of-range"),
        ({"from": "2026-06-01", "until": "2026-05-31"}, "until", "out-of-range"),
        ({"until": "2039-01-01"}, "until", "out-of-range"),
        ({"from": "1447-07"}, "from", "out-of-range"),
        ({"until": "the day after"}, "until", "not-a-date"),
        ({"reference": " "}, "reference", "out-of-range"),
        ({"reason": "over\u202ethere"}, "reason", "out-of-range"),
        ({"purposes": []}, "purposes", "out-of-range"),
    ],
)
async def test_an_agreement_that_is_none_is_refused_by_member_and_nothing_is_echoed(
    small_counter: Counter, change: dict[str, Any], field: str, code: str
):
    await partner(small_counter.world, "gone", revoked_at=small_counter.world.clock.now)
    await small_counter.recipient()
    answer = await small_counter.ask("officer", "POST", "/agreements", small_counter.agreement(**change))
    assert answer.status_code == 422, answer.text
    assert [(each["field"], each["code"]) for each in answer.json()["errors"]] == [(field, code)]
    assert not any(text in answer.text for text in ("dragon", "secret", "nothing", "2039", "day after", "nobody"))
    assert (await small_counter.ask("admin", "GET", "/agreements")).json() == {"items": []}


async def test_what_is_over_or_revoked_or_with_nobody_is_not_approved(small_counter: Counter):
    counter = small_counter
    await counter.recipient()
    made = [(await counter.ask("officer", "POST", "/agreements", counter.agreement(until=counter.day()))).json()["id"] for _ in range(3)]
    await counter.ask("officer", "POST", f"/agreements/{made[0]}/revocation")
    assert told(await counter.approve("second_officer", f"/agreements/{made[0]}/approval")) == (409, "agreement-revoked")
    await counter.ask("officer", "POST", "/recipients/partner/revocation")
    assert told(await counter.approve("second_officer", f"/agreements/{made[1]}/approval")) == (409, "recipient-revoked")
    counter.world.clock.forward(DAY)
    counter.tokens.clear()
    assert told(await counter.approve("second_officer", f"/agreements/{made[1]}/approval")) == (409, "agreement-ended")
    states = {one["id"]: one["state"] for one in (await counter.ask("admin", "GET", "/agreements")).json()["items"]}
    assert states == {made[0]: "revoked", made[1]: "over", made[2]: "over"}
    for path in (f"/agreements/{uuid.uuid4()}", "/agreements/x"):
        assert told(await counter.ask("admin", "GET", path)) == (404, "not-found")


async def test_only_who_may_lays_agreements_down_and_no_word_of_them_is_in_the_log(small_counter: Counter):
    counter = small_counter
    await counter.recipient()
    assert told(await counter.ask("key", "POST", "/agreements", counter.agreement())) == (403, "out-of-scope")
    assert told(await counter.ask("second_officer", "GET", "/orders/x"))[0] == 404
    id_ = await counter.allied()
    entries = [entry for entry in counter.world.entries() if entry.kind.startswith("agreement.")]
    assert [(entry.kind, entry.recipient, entry.agreement) for entry in entries] == [
        (kind, "partner", uuid.UUID(id_).hex) for kind in ("agreement.registered", "agreement.approved")
    ]
    assert not any("45/7" in str(entry) or "مشترك" in str(entry) for entry in entries)


def tamperings(rows: list[Row], before: Row) -> dict[str, list[Row]]:
    """What the database's keeper can do to the row of a revoked agreement."""
    row = next(one for one in rows if one["kind"] == AGREEMENT.name)
    rest = [one for one in rows if one is not row]
    return {
        "altered": [*rest, {**row, "sealed": row["sealed"][:-1] + bytes([row["sealed"][-1] ^ 1])}],
        "another version": [*rest, {**row, "version": row["version"] + 1}],
        "deleted": rest,
        "copied": [*rows, {**row, "key": "0" * 32}],
        "under another kind": [*rest, {**row, "kind": "order"}],
        "put back": [*rest, before],
    }


async def test_no_row_that_somebody_else_wrote_is_an_agreement(laid: tuple[World, Settings]):
    world, settings = laid
    async with Counter.over(world) as counter:
        kept = await counter.agreed()
        await counter.system_of()
        id_ = await counter.allied()
        in_force = next(row for row in rows_of(world, fact) if row["kind"] == AGREEMENT.name)
        assert await read(counter, kept.record) == {"mobile": "+966551234567"}
        world.clock.forward(1)
        await counter.ask("officer", "POST", f"/agreements/{id_}/revocation")
        rows, healthy = rows_of(world, fact), examine(settings, world.clock.now)
        for what, changed in tamperings(rows, in_force).items():
            put(world, fact, changed)
            world.association.books.latest = None
            assert (await read(counter, kept.record))[0] in (401, 503), what
            assert any(AGREEMENT.name in line for line in examine(settings, world.clock.now) if line not in healthy), what
            put(world, fact, rows)
        world.association.books.latest = None
        assert await read(counter, kept.record) == (403, "no-agreement")


async def test_a_read_behind_a_revoked_agreement_is_named_by_log_verify(small_counter: Counter):
    """As a keeper leaves it who put the row back for a moment: the entry stands behind the one that closed the door."""
    counter, world = small_counter, small_counter.world
    kept = await counter.agreed()
    await counter.system_of()
    id_ = await counter.allied()
    assert await read(counter, kept.record) == {"mobile": "+966551234567"}
    allowed = [entry for entry in world.entries() if entry.kind == "record.read" and entry.outcome == "allow"][-1]
    world.clock.forward(1)
    await counter.ask("officer", "POST", f"/agreements/{id_}/revocation")
    await world.association.log.append(replace(allowed, request=None))
    vkey = world.association.cabinet.signer.vkey_at
    with snapshot(world.database, world.association.id) as connection:
        found = list(verify_log(connection, world.association.id, world.code, vkey, None, deep=True).lines())
    assert any("under an agreement" in line for line in found), found


async def outcome(job: Errand, record: bytes) -> str:
    """What one read of the partner's system comes to."""
    try:
        await reading.read(job, Asked(record, None, "partner_sharing", ("mobile",)))
    except Refused as refused:
        return refused.code
    except Unavailable:
        return "put-off"
    return "allow"


async def race(world: World, second: Second, mode: str, record: bytes, revoke: Callable[[Deed], object]) -> list[str]:
    """Ten reads through one process against a revocation through another, as `test_race` holds them; what the reads came to."""
    if mode != MODES[2]:
        second.go_on.clear()
    if mode == MODES[0]:
        second.executor.submit(second.go_on.wait, 10)
    reads = [asyncio.ensure_future(outcome(second.job, record)) for _ in range(10)]
    await asyncio.sleep(0)
    if mode == MODES[1]:
        assert await asyncio.to_thread(second.closing.wait, 10)
    revoked = asyncio.ensure_future(world.association.run(revoke))
    if mode == MODES[0]:
        await revoked
    elif mode == MODES[1]:
        await asyncio.sleep(0.02)  # the revocation is at the head by now
    second.go_on.set()
    await revoked
    return await asyncio.gather(*reads)


@pytest.mark.parametrize("mode", MODES)
async def test_no_read_is_allowed_behind_a_revocation_however_they_interleave(vault: World, mode: str):
    async with Counter.over(vault) as counter:
        kept = await counter.agreed()
        await counter.system_of()
        id_ = uuid.UUID(await counter.allied()).bytes
        system, officer = await vault.knock(counter.tokens["partner"]), Errand(await vault.person("officer"), "revoke")
    vault.clock.forward(1)
    with second_process(vault, system) as second:
        outcomes = await race(vault, second, mode, kept.record, lambda deed: agreements.revoke(deed, officer, id_))
    assert set(outcomes) <= ({"no-agreement", "put-off"} if mode == MODES[0] else {"allow", "no-agreement", "put-off"})
    kinds = [(entry.kind, entry.outcome) for entry in vault.entries() if entry.kind in {"agreement.revoked", "record.read"}]
    at = kinds.index(("agreement.revoked", "allow"))
    assert {what for _, what in kinds[:at]} <= {"allow"}
    assert {what for _, what in kinds[at + 1 :]} <= {"refuse"}
