"""What is done with the keys takes two people and a machine: proposed by one, approved by another with a fresh code, carried out once."""

import uuid
from pathlib import Path
from typing import Any

import pytest

from keys import epochs
from keys.errors import Unopenable
from keys.roots import key_file
from tests.custody.keeper import Keeper, carry_out, known, rewrap, rotate
from tests.simulator import World
from vault.custody import carrying_out
from vault.errors import Conflict, NotFound

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def test_one_proposes_another_approves_and_the_machine_carries_it_out(vault: World):
    rotate(vault)
    rewrap(vault)
    async with Keeper.over(vault) as keeper:
        id_ = await keeper.propose("retire", below=2)
        with pytest.raises(Conflict, match="ceremony-not-approved"):
            carry_out(vault, uuid.UUID(id_).bytes)
        approved = await keeper.approve(id_)
        assert approved.json() == {"id": id_, "state": "approved"}
        done = carry_out(vault, uuid.UUID(id_).bytes)
        assert (done.act, done.below, done.state, done.settled_by) == ("retire", 2, "carried-out", "system")
        assert known(vault).minimum == vault.association.cabinet.keys.minimum_epoch == 2
        with pytest.raises(Conflict, match="ceremony-settled"):
            carry_out(vault, uuid.UUID(id_).bytes)
        kinds = [each.kind for each in vault.entries() if each.kind.startswith("keys.") and "read" not in each.kind]
        assert kinds[-4:] == ["keys.ceremony-proposed", "keys.ceremony-approved", "keys.retiring", "keys.retired"]
        [shown] = (await keeper.ask("second_officer", "GET", "")).json()["items"]
        assert (shown["id"], shown["act"], shown["below"], shown["name"], shown["state"]) == (id_, "retire", 2, None, "carried-out")
        assert shown["proposed_by"] != shown["approved_by"]
        assert vault.entries()[-1].kind == "keys.ceremonies-read"


async def test_who_proposed_does_not_approve_and_nobody_without_a_code(small: World):
    async with Keeper.over(small) as keeper:
        id_ = await keeper.propose("copy-add", name="safe")
        own = await keeper.approve(id_, "admin")
        assert (own.status_code, own.json()["code"]) == (403, "out-of-scope")
        without = await keeper.ask("officer", "POST", f"/{id_}/approval")
        assert (without.status_code, without.json()["code"]) == (403, "step-up-required")
        system = await keeper.ask("nobody", "POST", "", {"act": "copy-add", "name": "safe"})
        assert (system.status_code, system.json()["code"]) == (403, "out-of-scope")
        officer = await keeper.ask("officer", "POST", "", {"act": "copy-add", "name": "safe"})
        assert officer.json()["code"] == "out-of-scope"
        assert (await keeper.approve(id_)).status_code == 200
        again = await keeper.approve(id_, "second_officer")
        assert (again.status_code, again.json()["code"]) == (409, "ceremony-settled")


async def test_whoever_made_the_others_account_is_no_second_person(small: World, monkeypatch: pytest.MonkeyPatch):
    async with Keeper.over(small) as keeper:
        id_ = await keeper.propose("copy-add", name="safe")
        monkeypatch.setattr("vault.identity.two_people.same_person", lambda *_: True)
        answer = await keeper.approve(id_)
        assert (answer.status_code, answer.json()["code"]) == (403, "same-person")


async def test_what_was_called_off_is_not_carried_out(small: World):
    async with Keeper.over(small) as keeper:
        id_ = await keeper.agreed("copy-add", name="safe")
        answer = await keeper.ask("admin", "POST", f"/{uuid.UUID(bytes=id_)}/withdrawal")
        assert (answer.status_code, answer.json()["state"]) == (200, "withdrawn")
        with pytest.raises(Conflict, match="ceremony-settled"):
            carry_out(small, id_)
        again = await keeper.ask("admin", "POST", f"/{uuid.UUID(bytes=id_)}/withdrawal")
        assert again.json()["code"] == "ceremony-settled"
        assert (await keeper.ask("admin", "POST", f"/{uuid.uuid4()}/withdrawal")).status_code == 404
        with pytest.raises(NotFound):
            carry_out(small, bytes(16))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"act": "retire"}, "below"),
        ({"act": "retire", "below": 1}, "below"),
        ({"act": "retire", "below": 2}, "below"),
        ({"act": "retire", "below": 2, "name": "x"}, "below"),
        ({"act": "copy-add"}, "name"),
        ({"act": "copy-add", "name": "No Name"}, "name"),
        ({"act": "copy-add", "name": "safe", "below": 2}, "name"),
        ({"act": "copy-add", "name": "safe", "root": "shamir"}, "root"),
        ({"act": "copy-remove", "name": "safe"}, "name"),
        ({"act": "slot-add", "name": "five"}, "root"),
        ({"act": "slot-add", "name": "five", "root": "paper"}, "root"),
        ({"act": "slot-remove", "name": "five", "root": "paper"}, "root"),
    ],
)
async def test_what_lacks_something_or_cannot_be_is_refused_by_member(small: World, body: dict[str, Any], field: str):
    async with Keeper.over(small) as keeper:
        answer = await keeper.ask("admin", "POST", "", body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text


async def test_a_repeat_under_the_same_key_makes_nothing_twice(small: World):
    async with Keeper.over(small) as keeper:
        key = uuid.uuid4().hex
        first = await keeper.ask("admin", "POST", "", {"act": "copy-add", "name": "safe"}, Idempotency_Key=key)
        again = await keeper.ask("admin", "POST", "", {"act": "copy-add", "name": "safe"}, Idempotency_Key=key)
        assert first.json() == again.json()
        other = await keeper.ask("admin", "POST", "", {"act": "copy-add", "name": "bank"}, Idempotency_Key=key)
        assert other.json()["code"] == "idempotency-mismatch"


async def test_ceremonies_come_in_pages_newest_first_and_by_state(small: World):
    async with Keeper.over(small) as keeper:
        made = [await keeper.propose("copy-add", name=name) for name in ("a", "b", "c")]
        await keeper.approve(made[1])
        page = (await keeper.ask("officer", "GET", "?limit=2")).json()
        assert [each["name"] for each in page["items"]] == ["c", "b"]
        rest = (await keeper.ask("officer", "GET", f"?limit=2&after={page['next']}")).json()
        assert ([each["name"] for each in rest["items"]], rest["next"]) == (["a"], None)
        waiting = (await keeper.ask("officer", "GET", "?state=approved")).json()["items"]
        assert [(each["name"], each["state"]) for each in waiting] == [("b", "approved")]


async def test_there_are_two_named_copies_at_most(small: World):
    async with Keeper.over(small) as keeper:
        third = await keeper.agreed("copy-add", name="third")
        again = await keeper.agreed("copy-add", name="safe")
        await keeper.carried_out("copy-add", name="safe")
        with pytest.raises(Conflict, match="too-many-copies"):
            carry_out(small, again)
        await keeper.carried_out("copy-add", name="bank")
        assert [each.name for each in known(small).copies] == ["safe", "bank"]
        assert (await keeper.ask("admin", "POST", "", {"act": "copy-add", "name": "more"})).status_code == 422
        with pytest.raises(Conflict, match="too-many-copies"):
            carry_out(small, third)
        await keeper.carried_out("copy-remove", name="safe")
        assert [each.name for each in known(small).copies] == ["bank"]


async def test_another_root_gets_a_slot_and_loses_it(small: World, tmp_path: Path):
    path, own = small.folder / "epochs", small.association.id
    async with Keeper.over(small) as keeper:
        new = key_file.create(tmp_path / "second")
        id_ = await keeper.agreed("slot-add", name="second", root="key-file")
        with pytest.raises(Conflict, match="slot-refused"):
            carry_out(small, id_)
        assert carrying_out.approved(small.association, small.clock, id_).name == "second"
        carrying_out.carry_out(small.association, small.root, small.clock, id_, new)
        assert epochs.load(path, own, new).epoch == 1
        # Killed after the file was written and before the log heard of it: carried out once more, it is not done twice.
        twice = await keeper.agreed("slot-add", name="second", root="key-file")
        carrying_out.carry_out(small.association, small.root, small.clock, twice, new)
        stranger = key_file.create(tmp_path / "third")
        third = await keeper.agreed("slot-add", name="second", root="key-file")
        with pytest.raises(Conflict, match="slot-refused"):
            carrying_out.carry_out(small.association, small.root, small.clock, third, stranger)
        with pytest.raises(Conflict, match="slot-refused"):
            await keeper.carried_out("slot-remove", name="main")
        await keeper.carried_out("slot-remove", name="second")
        with pytest.raises(Unopenable):
            epochs.load(path, own, new)
        await keeper.carried_out("slot-remove", name="second")
        assert [each.kind for each in small.entries() if each.kind.startswith("keys.slot")][-1] == "keys.slot-remove"
