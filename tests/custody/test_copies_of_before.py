"""Erased is erased (promise 7): once her epoch is retired no copy of the database of before opens anything of hers, root key included."""

import re
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from keys import epochs
from keys.blobs import open_blob
from keys.cabinet import EVIDENCE_CLASS, SHEET_CLASS
from keys.container import Place, Sealed, header, reseal
from keys.errors import Unopenable
from keys.keyring import AssociationKeys
from tests.access.desk import Desk, rows_of, written
from tests.custody.keeper import Keeper, carry_out, rewrap, rotate
from tests.household import FATIMA, grant, read, store
from tests.simulator import World
from vault.access.certificate import Certificate, note
from vault.access.copies import Since, day_of
from vault.custody.status import Standing, lines
from vault.examining import examine
from vault.keys_cli import standing_of
from vault.settings import Settings
from vault.storage.metadata import metadata
from vault.subjects.people import context

pytestmark = pytest.mark.asyncio(loop_scope="function")
DAY = 86_400
ASKED = {"reason": "لأنها طلبت", "requested_by": "self"}


@dataclass(frozen=True, slots=True)
class Copied:
    """Every row of the database, byte for byte, and the file `epochs` of that moment."""

    rows: dict[str, list[dict[str, Any]]]
    epochs: bytes


def copied(world: World) -> Copied:
    """What a thief or a backup takes."""
    rows = {table.name: rows_of(world, table) for table in metadata.sorted_tables}
    return Copied(rows, (world.folder / "epochs").read_bytes())


def opened(copy: Copied, keys: AssociationKeys, subject: bytes) -> list[str]:
    """Whatever of this person opens with these keys: every wrapped key, her sheet and history, every container."""
    found = []
    for row in copy.rows["subject_sheet"]:
        if row["subject"] == subject and (key := tried(keys, subject, SHEET_CLASS, row["wrapped"])):
            open_blob(key, context(b"sheet/v1", keys.association, subject, row["version"]), row["sealed"])
            found.append("sheet")
            for event in copy.rows["subject_event"]:
                if event["subject"] == subject:
                    open_blob(key, context(b"event/v1", keys.association, subject, event["version"]), event["sealed"])
                    found.append("event")
    wrapped = [(row["class_id"], row["wrapped"]) for row in copy.rows["subject_key"] if row["subject"] == subject]
    scans = [row["wrapped"] for row in copy.rows["consent_evidence"] if row["subject"] == subject]
    found += [f"key {class_id}" for class_id, blob in wrapped if tried(keys, subject, class_id, blob)]
    found += ["evidence" for blob in scans if tried(keys, subject, EVIDENCE_CLASS, blob)]
    hers = {row["record"] for row in copy.rows["subject_record"] if row["subject"] == subject}
    for row in copy.rows["record_container"]:
        if row["record"] in hers:
            found += [f"container {row['class_id']}" for _, blob in wrapped if opens(keys, subject, row, blob)]
    return found


def opens(keys: AssociationKeys, subject: bytes, row: dict[str, Any], wrapped: bytes) -> bool:
    """Whether a container opens with this wrapped key, with the salt of its own header."""
    told = header(row["container"])
    place = Place(keys.association, subject, row["record"], told.class_id, told.key_version, told.revision, told.schema)
    try:
        return bool(reseal(keys, Sealed(place, wrapped, row["container"], told.salt, {}), replace(place, revision=told.revision + 1), {}))
    except Unopenable:
        return False


def tried(keys: AssociationKeys, subject: bytes, class_id: int, wrapped: bytes) -> Any:
    try:
        return keys.unwrap(subject, class_id, wrapped)
    except Unopenable:
        return None


async def test_a_copy_of_before_opens_nothing_of_hers_once_her_epoch_is_retired(vault: World, tmp_path: Path):
    async with Desk.over(vault) as desk, Keeper.over(vault) as keeper:
        hers, another = await store(vault), await store(vault, FATIMA | {"national_id": "1000000016"})
        vault.clock.forward(60)
        await grant(vault, hers.record)
        await grant(vault, another.record)
        before = copied(vault)
        locked = await desk.post(
            f"/v1/records/{written(hers.record)}/erasure", {"reason": "لأنها طلبت", "requested_by": "self"}, desk.officer
        )
        session = await vault.session("second_officer")
        code = {"code": vault.one_time_code("second_officer")}
        assert (await desk.post(f"/v1/erasures/{locked.json()['id']}/approval", code, session)).status_code == 200
        rotate(vault)
        rewrap(vault)
        await keeper.carried_out("retire", below=2)
    old = tmp_path / "old-epochs"
    old.write_bytes(before.epochs)
    old.chmod(0o600)
    everything = opened(before, epochs.load(old, vault.association.id, vault.root), hers.subject)
    assert {"sheet", "event"} <= set(everything)
    assert [len([each for each in everything if each.startswith(what)]) for what in ("key", "container")] == [6, 6]
    today = epochs.load(vault.folder / "epochs", vault.association.id, vault.root)
    assert opened(before, today, hers.subject) == []
    assert opened(before, today, another.subject) == []
    assert opened(copied(vault), today, another.subject)
    assert (await read(vault, another.record))["full_name"] == FATIMA["full_name"]


async def test_the_certificate_names_a_day_and_the_erasure_tells_what_became_of_it(told: tuple[World, Settings]):
    world, settings = told
    async with Desk.over(world) as desk, Keeper.over(world) as keeper:
        await keeper.carried_out("copy-add", name="safe")
        kept = await store(world)
        locked = await desk.post(
            f"/v1/records/{written(kept.record)}/erasure", {"reason": "لأنها طلبت", "requested_by": "self"}, desk.officer
        )
        path, session = f"/v1/erasures/{locked.json()['id']}", await world.session("second_officer")
        assert (await desk.get(path, session)).json()["copies"] is None
        done = (await desk.post(f"{path}/approval", {"code": world.one_time_code("second_officer")}, session)).json()
        approved, due = world.clock.now, day_of(world.clock.now, 35)
        assert done["copies"]["due"] == due
        assert f"\nno-copy-opens-after {due}\n" in done["note"]
        since = (await desk.get(path, session)).json()["copies"]
        assert since == {"state": "opens", "epochs": [1], "due": due, "retired": [], "copies_left": [], "gone_on": None}
        listed = (await desk.get("/v1/erasures", session)).json()["items"]
        assert listed[0]["copies"] == since

        def next_steps() -> list[str]:
            with_one = standing_of(settings, world.database, world.code, world.clock.now)
            assert with_one.due in {due, None}
            return with_one.next

        def red() -> bool:
            named = [line for line in examine(settings, world.clock.now) if "no copy was to open" in line]
            assert len(named) <= 1
            return bool(named)

        assert (next_steps(), red()) == ([f"Make a new epoch: amanah keys rotate. Until {due}."], False)
        rotate(world)
        assert re.fullmatch(rf"Wrap \d+ keys anew, the service may run: amanah keys rewrap\. Until {due}\.", next_steps()[0])
        rewrap(world)
        assert "amanah keys retire --below 2. Until" in next_steps()[0]
        id_ = await keeper.propose("retire", below=2)
        assert next_steps() == [f"Somebody other than who proposed it approves retire 2: amanah keys approve {id_}."]
        await keeper.approve(id_)
        assert next_steps() == [f"At the machine with the root key, carry retire 2 out: amanah keys carry-out {id_}."]
        world.clock.now = approved + 35 * DAY * 1_000_000
        assert not red(), "the day itself is still the day"
        world.clock.forward(DAY)
        assert red()
        assert_late(standing_of(settings, world.database, world.code, world.clock.now), due)
        carry_out(world, uuid.UUID(id_).bytes)
        assert red(), "a named copy is still about"
        assert "confirm" in next_steps()[0]
        session = await world.session("second_officer")
        keeper.tokens["admin"] = await world.session("admin")
        left = (await desk.get(path, session)).json()["copies"]
        assert (left["state"], left["copies_left"], left["retired"][0]["epoch"]) == ("opens", ["safe"], 1)
        await keeper.ask("admin", "POST", f"/{id_}/copies/safe/confirmation")
        gone = (await desk.get(path, session)).json()["copies"]
        assert (gone["state"], gone["copies_left"], gone["gone_on"]) == ("gone", [], day_of(world.clock.now))
        assert not red()
        assert next_steps() == ["Nothing is to be done."]


def assert_late(one: Standing, due: str) -> None:
    said = " ".join(lines(one))
    assert one.late
    assert f"an older copy of the database still opens something; the first certificate says until {due}." in said
    assert f"LATE: that day has passed. Until the epochs are retired the certificate of {due} is not true." in said


async def test_a_certificate_of_before_there_were_days_is_read_and_signed_as_it_was(small: World):
    members = dict.fromkeys(("erasure", "subject", "requested_by", "asked_by", "approved_by"), "")
    times = {"asked_at": 1, "approved_at": 1, "minimum_epoch": 1, "index": 7}
    stored = {**members, **times, "whole": True, "records": [], "classes": [], "kept": [], "recipients": [], "epochs": [1]}
    old = msgspec.json.decode(msgspec.json.encode(stored), type=Certificate)
    text = note(old, "probe", small.association.cabinet.signer)
    assert "copy-opens-until-retired epoch 1\nminimum-epoch 1\nentry 7\n" in text
    assert "no-copy" not in text
    assert not Since(old.epochs, old.due, (), (), None).is_late(10**18)
