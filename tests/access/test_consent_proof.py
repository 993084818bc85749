"""The proof of consents: whole, checked without the vault, and nothing in it altered, missing or put in goes unnamed."""

import io
import json
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from keys.notes import Signer
from keys.secret import Secret
from tests.household import FATIMA, asked, grant, store, verify, withdraw, written
from tests.simulator import World
from vault.access import proof_bundle
from vault.access.consent_proof_api import consent_proof_routes
from vault.access.proof_bundle import ProofRefused, proven
from vault.access_log import tables
from vault.receipt_cli import proof
from vault.rulebook.channels import Channels, Name
from vault.web.call import write_id

pytestmark = pytest.mark.asyncio(loop_scope="function")

NAMES = Channels(name=Name("جمعية للتجربة", "A probe association"))
PLACE = "مكتب لا يذكره أحد"


async def fetch(world: World, path: str, who: str = "officer") -> Any:
    token = await world.session(who)
    async with world.front(*consent_proof_routes({world.code: NAMES})) as http:
        return await http.get(f"/v1{path}", headers={"Authorization": f"Bearer {token}"})


def vkey(world: World) -> str:
    return world.association.cabinet.signer.vkey


async def lived(world: World) -> tuple[bytes, bytes, bytes]:
    """A person, a written consent of hers that was verified, and an electronic one that was withdrawn."""
    kept = await store(world)
    world.clock.forward(60)
    evidence = written("second_officer@probe", world.clock.now) | {"place": PLACE}
    paper = (await grant(world, kept.record, await asked(world, "publication", form="written", evidence=evidence))).id
    await verify(world, paper, await world.person("officer"))
    click = (await grant(world, kept.record)).id
    world.clock.forward(60)
    await withdraw(world, click)
    world.clock.forward(2)
    return kept.record, paper, click


def files_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", how) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


async def test_the_proof_of_one_consent_holds_words_events_receipt_entries_and_nothing_personal(vault: World):
    record, paper, _ = await lived(vault)
    answer = await fetch(vault, f"/consents/{write_id(paper)}/proof")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith("attachment")
    found = proven(answer.content, vkey(vault))
    assert [one["amanah:state"] for one in found.receipts] == ["given"]
    assert found.entries == 2
    files = files_of(answer.content)
    folder = f"consents/{write_id(paper)}"
    notice = (await vault.association.book()).current_notice("publication")
    assert notice is not None
    assert files[f"{folder}/notice.ar.txt"].decode() == notice.texts["ar"]
    events = json.loads(files[f"{folder}/events.json"])
    assert [one["event"] for one in events] == ["grant", "verified"]
    assert (events[0]["form"], events[0]["signature"]) == ("written", "signature")
    assert PLACE.encode() not in answer.content
    assert all(value.encode() not in answer.content for value in FATIMA.values())
    told = [entry for entry in vault.entries() if entry.kind == "consent.proof"][-1]
    assert (told.about[0].record, told.consents, told.count, told.basis) == (record, (paper.hex(),), 1, "law")


async def test_the_proof_of_a_person_holds_all_her_consents_and_what_ended_them(small: World):
    record, _, click = await lived(small)
    content = (await fetch(small, f"/records/{write_id(record)}/consent-proof")).content
    found = proven(content, vkey(small))
    assert sorted(one["amanah:state"] for one in found.receipts) == ["given", "withdrawn"]
    assert found.entries == 4
    events = json.loads(files_of(content)[f"consents/{write_id(click)}/events.json"])
    assert [one["event"] for one in events] == ["grant", "withdraw"]
    assert (events[0]["act"], events[0]["form"], events[1]["given_by"]) == ("checkbox", "electronic", "self")
    assert [entry.count for entry in small.entries() if entry.kind == "consent.proof"] == [2]


async def test_a_rejected_paper_and_its_scan_are_told_by_hash(small: World):
    kept = await store(small)
    small.clock.forward(60)
    evidence = written("second_officer@probe", small.clock.now) | {"witness": ""}
    paper = (await grant(small, kept.record, await asked(small, "publication", form="written", evidence=evidence))).id
    await verify(small, paper, await small.person("officer"), "rejected")
    small.clock.forward(2)
    content = (await fetch(small, f"/consents/{write_id(paper)}/proof")).content
    events = json.loads(files_of(content)[f"consents/{write_id(paper)}/events.json"])
    assert [one["event"] for one in events] == ["grant", "rejected"]


async def test_whoever_may_not_read_the_log_gets_no_proof(small: World):
    _, paper, _ = await lived(small)
    assert (await fetch(small, f"/consents/{write_id(paper)}/proof", "admin")).status_code == 403
    assert (await fetch(small, f"/consents/{write_id(bytes(16))}/proof")).status_code == 404
    assert (await fetch(small, f"/records/{write_id(bytes(16))}/consent-proof")).status_code == 404


async def test_an_entry_that_is_none_any_more_proves_nothing_and_rings_the_alarm(small: World):
    _, paper, _ = await lived(small)
    place, before = tables.entry, len(small.entries())
    with small.database.connect() as connection, connection.begin():
        connection.execute(update(place).where(place.c.kind == "consent.granted").values(body=b"{}"))
    answer = await fetch(small, f"/consents/{write_id(paper)}/proof")
    assert (answer.status_code, answer.json()["code"]) == (503, "integrity")
    with small.database.connect() as connection:
        rung = connection.execute(select(place.c.kind).where(place.c.number >= before).order_by(place.c.number)).scalars().all()
    assert rung[-1] == "alarm"


CHANGES: dict[str, tuple[Callable[[dict[str, bytes]], dict[str, bytes]], str]] = {
    "no manifest": (lambda files: {name: each for name, each in files.items() if name != "manifest"}, "proof-signature"),
    "a manifest of bytes": (lambda files: files | {"manifest": b"\xff"}, "proof-signature"),
    "a manifest that was altered": (
        lambda files: files | {"manifest": files["manifest"].replace(b"receipt", b"receipT")},
        "proof-signature",
    ),
    "a file more": (lambda files: files | {"entries/9.json": b"{}"}, "proof-altered"),
    "a file less": (lambda files: dict(list(files.items())[:-1]), "proof-altered"),
    "other words": (lambda files: files | {_words(files): b"other words"}, "proof-altered"),
    "another checkpoint": (lambda files: files | {"checkpoint": b"none"}, "proof-altered"),
}


def _words(files: dict[str, bytes]) -> str:
    return next(name for name in files if "/notice." in name)


@pytest.mark.parametrize("change", CHANGES)
async def test_what_is_altered_in_a_proof_is_refused_by_name(small: World, change: str):
    _, paper, _ = await lived(small)
    files = files_of((await fetch(small, f"/consents/{write_id(paper)}/proof")).content)
    assert proven(packed(files), vkey(small)).entries == 2
    mutate, code = CHANGES[change]
    with pytest.raises(ProofRefused) as refused:
        proven(packed(mutate(files)), vkey(small))
    assert refused.value.code == code


SIGNER = Signer("amanah/probe", Secret(bytes(range(32))))


def resigned(files: dict[str, bytes], head: str = "amanah consent proof 1") -> bytes:
    """The files under a manifest of somebody who has a key and no log."""
    inside = {name: each for name, each in files.items() if name != "manifest"}
    lines = "".join(f"{sha256(each).hexdigest()} {name}\n" for name, each in sorted(inside.items()))
    return packed({"manifest": SIGNER.sign(f"{head}\n{lines}").encode(), **inside})


async def test_a_manifest_alone_proves_nothing(small: World):
    _, paper, _ = await lived(small)
    files = files_of((await fetch(small, f"/consents/{write_id(paper)}/proof")).content)
    receipt = next(name for name in files if name.endswith("/receipt"))
    entry = next(name for name in files if name.startswith("entries/") and name.endswith(".json"))
    bare = {name: each for name, each in files.items() if name.startswith("entries/")}
    for content, code, file in (
        (resigned(files), "proof-unproven", receipt),
        (resigned(bare), "proof-unproven", entry),
        (resigned({"checkpoint": b""}), "proof-malformed", ""),
        (resigned(files, "amanah another thing 1"), "proof-malformed", ""),
    ):
        with pytest.raises(ProofRefused) as refused:
            proven(content, SIGNER.vkey)
        assert (refused.value.code, refused.value.file) == (code, file)


async def test_words_that_are_not_those_of_the_receipt_are_not_proven(small: World):
    _, paper, _ = await lived(small)
    files = files_of((await fetch(small, f"/consents/{write_id(paper)}/proof")).content)
    signer = small.association.cabinet.signer
    inside = {name: each for name, each in files.items() if name != "manifest"} | {_words(files): b"other words"}
    lines = "".join(f"{sha256(each).hexdigest()} {name}\n" for name, each in inside.items())
    with pytest.raises(ProofRefused) as refused:
        proven(packed({"manifest": signer.sign(f"amanah consent proof 1\n{lines}").encode(), **inside}), signer.vkey)
    assert (refused.value.code, refused.value.file) == ("proof-unproven", _words(files))


async def test_an_archive_that_could_become_very_many_bytes_is_not_unpacked(small: World, monkeypatch: pytest.MonkeyPatch):
    _, paper, _ = await lived(small)
    content = (await fetch(small, f"/consents/{write_id(paper)}/proof")).content
    for bad in (b"", b"PK", content[:-40], packed(files_of(content), zipfile.ZIP_DEFLATED)):
        with pytest.raises(ProofRefused, match="proof-malformed"):
            proven(bad, vkey(small))
    monkeypatch.setattr(proof_bundle, "MOST_FILES", 3)
    with pytest.raises(ProofRefused, match="proof-malformed"):
        proven(content, vkey(small))
    monkeypatch.setattr(proof_bundle, "MOST_BYTES", 10)
    with pytest.raises(ProofRefused, match="proof-malformed"):
        proven(content, vkey(small))


async def test_the_command_says_what_the_proof_proves(small: World, tmp_path: Path):
    record, _, _ = await lived(small)
    file = tmp_path / "proof.zip"
    content = (await fetch(small, f"/records/{write_id(record)}/consent-proof")).content
    file.write_bytes(content)
    told = CliRunner().invoke(proof, ["verify", str(file), "--vkey", vkey(small)])
    assert told.exit_code == 0, told.output
    assert told.output.startswith("The proof holds: this key signed it, and 4 entries of the log stand behind it.")
    assert "Stands: withdrawn" in told.output
    assert "Association: A probe association" in told.output
    file.write_bytes(packed(files_of(content) | {"more": b""}))
    altered = CliRunner().invoke(proof, ["verify", str(file), "--vkey", vkey(small), "--lang", "ar"])
    assert altered.exit_code == 1
    assert altered.output.startswith("amanah: proof-altered: ")
    assert altered.output.endswith("(more)\n")
    assert "FileNotFoundError" in CliRunner().invoke(proof, ["verify", str(tmp_path / "none"), "--vkey", vkey(small)]).output
    file.write_bytes(b"x")
    assert "proof-malformed" in CliRunner().invoke(proof, ["verify", str(file), "--vkey", vkey(small)]).output
