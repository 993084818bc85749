"""`amanah keys`: what each command does, asks, says and ends with; by one's own hand and through the running service."""

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace
from sqlalchemy import update

from keys import epochs
from keys.roots import key_file
from tests.custody.keeper import Keeper
from tests.demo.wire import Wire
from tests.household import store
from tests.simulator import World, world
from vault import keys_cli
from vault.cli import main
from vault.settings import Settings
from vault.storage import schema
from vault.storage.engine import Database
from vault.subjects import tables as subjects

pytestmark = pytest.mark.asyncio(loop_scope="function")
SECRETS = ("admin@probe", "a long password", "111111", "222222")
ID = str(uuid.UUID(int=7))


@pytest.fixture
def laid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[World, Settings]]:
    """A vault on SQLite laid out as a command finds one, on the clock of the test."""
    url = f"sqlite:///{tmp_path / 'amanah.sqlite3'}"
    database = Database(url)
    schema.upgrade(database)
    database.dispose()
    home = tmp_path / "associations"
    home.mkdir(mode=0o700)
    for name, value in {"DATA_DIR": tmp_path, "DATABASE_URL": url, "ROOT_KEY_FILE": home / "root"}.items():
        monkeypatch.setenv(f"AMANAH_{name}", str(value))
    with world(url, home) as made:
        monkeypatch.setattr(keys_cli, "clock", made.clock)
        yield made, Settings(data_dir=str(tmp_path), database_url=url, root_key_file=str(home / "root"))


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as wire:
        wire.answer("POST", "/v1/sessions", 201, {"token": "ams_probe_token"})
        wire.answer("DELETE", "/v1/sessions/current", 204, "")
        yield wire


def run(*command: str) -> Result:
    return CliRunner().invoke(main, ["keys", *command])


def signed(wire: Wire, folder: Path, *command: str) -> Result:
    """A command signed in to this service, its secrets in a file."""
    path = folder / "sign-in"
    path.write_text("\n".join(SECRETS), encoding="utf-8")
    return run(*command, "--server", f"http://127.0.0.1:{wire.port}", "--sign-in-file", str(path))


def words(result: Result) -> str:
    return re.sub(r"\s+", " ", result.output)


async def test_keys_are_rotated_and_rewrapped_and_the_status_says_so(laid: tuple[World, Settings]):
    made, _ = laid
    await store(made)
    result = run("rotate")
    assert (result.exit_code, result.output) == (0, "probe: epoch 2 is the newest; amanah keys rewrap follows\n")
    told = json.loads(run("status", "--json").output)[0]
    assert (told["newest"], told["minimum"], told["behind"], told["late"]) == (2, 1, 13, False)
    assert told["next"] == ["Wrap 13 keys anew, the service may run: amanah keys rewrap."]
    result = run("rewrap")
    assert (result.exit_code, result.stdout) == (0, "probe: 13 keys moved to epoch 2; 0 do not open\n")
    said = run("status").output.splitlines()
    assert said[0] == "probe: the newest epoch is 2; everything new is wrapped under it."
    assert "  Epoch 1, made on 2026-01-01: 0 keys." in said
    assert "  Epoch 2, made on 2026-01-01: 13 keys; 6 in association_key; 1 in subject_sheet; 6 in subject_key." in said
    assert "  Slot main: a root of kind key-file opens the keys." in said
    assert said[-1] == "  Nothing lies under epoch 1 any more; two people may retire it: amanah keys retire --below 2."


async def test_a_key_that_does_not_open_is_named_and_the_command_ends_with_1(laid: tuple[World, Settings]):
    made, _ = laid
    await store(made)
    with made.database.connect() as connection, connection.begin():
        connection.execute(update(subjects.sheet).values(wrapped=bytes(70)))
    run("rotate")
    result = run("rewrap")
    assert result.exit_code == 1
    assert "subject_sheet" in result.stderr
    assert "12 keys moved to epoch 2; 1 do not open" in result.stdout


async def test_what_was_agreed_on_is_carried_out_and_copies_are_accounted_for(laid: tuple[World, Settings], wire: Wire, tmp_path: Path):
    made, _ = laid
    await store(made)
    async with Keeper.over(made) as keeper:
        safe = uuid.UUID(bytes=await keeper.agreed("copy-add", name="safe"))
        bank = uuid.UUID(bytes=await keeper.agreed("copy-add", name="bank"))
        for each in (safe, bank):
            assert run("carry-out", str(each)).exit_code == 0
        assert "There is a named copy of the file epochs: safe." in run("status").output
        run("rotate")
        id_ = str(uuid.UUID(bytes=await keeper.agreed("retire", below=2)))
        early = run("carry-out", id_)
        assert early.exit_code == 1
        assert "epochs-in-use: keys still name an older epoch: 6 in association_key, 1 in subject_sheet, 6 in subject_key" in words(early)
        run("rewrap")
    wire.answer("POST", f"/v1/keys/ceremonies/{id_}/copies/safe/confirmation", 200, {"copies": [], "gone_at": None})
    done = signed(wire, tmp_path, "carry-out", id_, "--gone", "safe")
    assert done.exit_code == 0, done.output
    assert "retire 2 is carried out" in done.output
    assert "noted; other copies are not accounted for yet" in done.output
    assert f"Not gone yet: bank. When they are replaced or destroyed: amanah keys confirm {id_} NAME" in words(done)
    assert "copies not accounted for: safe, bank" in run("status").output
    wire.answer("POST", f"/v1/keys/ceremonies/{id_}/copies/bank/confirmation", 200, {"copies": [], "gone_at": "2026-01-02T00:00:00Z"})
    said = signed(wire, tmp_path, "confirm", id_, "bank")
    assert (said.exit_code, said.output) == (0, "the epochs are gone since 2026-01-02T00:00:00Z\n")
    made.clock.forward(91 * 86_400)
    assert "The newest epoch is 91 days old: amanah keys rotate." in words(run("status"))
    again = run("carry-out", id_)
    assert again.exit_code == 1
    assert again.output.startswith("amanah: ceremony-settled: ")


async def test_nobody_is_asked_about_copies_where_there_is_no_terminal(
    laid: tuple[World, Settings], wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert not keys_cli._asked("safe")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("vault.keys_cli.click.confirm", lambda *_, **__: True)
    assert keys_cli._asked("safe")


@pytest.mark.parametrize(
    ("command", "body"),
    [
        (("retire", "--below", "3"), {"act": "retire", "below": 3}),
        (("slot", "add", "five", "--root", "shamir"), {"act": "slot-add", "name": "five", "root": "shamir"}),
        (("slot", "remove", "five"), {"act": "slot-remove", "name": "five"}),
        (("copy", "add", "safe"), {"act": "copy-add", "name": "safe"}),
        (("copy", "remove", "safe"), {"act": "copy-remove", "name": "safe"}),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
async def test_each_act_is_proposed_as_a_signed_in_person(wire: Wire, tmp_path: Path, command: tuple[str, ...], body: dict[str, Any]):
    wire.answer("POST", "/v1/keys/ceremonies", 201, {"id": ID, "state": "proposed"})
    result = signed(wire, tmp_path, *command)
    assert (result.exit_code, result.output) == (0, f"proposed; another person says yes with: amanah keys approve {ID}\n")
    asked = next(each for each in wire.requests if each.path == "/v1/keys/ceremonies")
    assert json.loads(asked.body) == body


async def test_approving_takes_the_next_code_and_withdrawing_none(wire: Wire, tmp_path: Path):
    wire.answer("POST", f"/v1/keys/ceremonies/{ID}/approval", 200, {"id": ID, "state": "approved"})
    wire.answer("POST", f"/v1/keys/ceremonies/{ID}/withdrawal", 200, {"id": ID, "state": "withdrawn"})
    result = signed(wire, tmp_path, "approve", ID)
    assert f"amanah keys carry-out {ID}" in result.output
    assert json.loads(next(each for each in wire.requests if each.path.endswith("/approval")).body) == {"code": "222222"}
    assert signed(wire, tmp_path, "withdraw", ID).output == "withdrawn\n"


async def test_an_id_or_a_name_that_is_none_is_told_and_not_sent(wire: Wire, tmp_path: Path):
    for command in (("approve", "x"), ("withdraw", "../../x"), ("confirm", ID, "a/b")):
        result = signed(wire, tmp_path, *command)
        assert result.exit_code == 1
        assert result.output.startswith("amanah: not-found")


async def test_another_root_is_made_and_opens_the_keys(laid: tuple[World, Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made, _ = laid
    path, secret = made.folder / "epochs", tmp_path / "secret"
    secret.write_text("a passphrase of twelve or more\n", encoding="utf-8")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    key_file.create(credentials / "amanah")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    options = {
        "key-file": ("--root-file", str(tmp_path / "second")),
        "passphrase-file": ("--root-file", str(tmp_path / "third"), "--passphrase-file", str(secret)),
        "systemd-credential": ("--credential", "amanah"),
        "shamir": (),
    }
    async with Keeper.over(made) as keeper:
        for number, (kind, given) in enumerate(options.items()):
            id_ = str(uuid.UUID(bytes=await keeper.agreed("slot-add", name=f"slot-{number}", root=kind)))
            if given:
                lacking = run("carry-out", id_)
                assert "the new slot is for a " + kind in words(lacking)
            done = run("carry-out", id_, *given)
            assert done.exit_code == 0, done.output
            assert kind != "shamir" or len(done.output.split("\n\n")) >= 5
        assert [kind for _, kind in epochs.told(path, made.association.id, made.root).slots] == ["key-file", *options]
        late = str(uuid.UUID(bytes=await keeper.agreed("slot-add", name="slot-0", root="key-file")))
        assert run("carry-out", late, "--root-file", str(tmp_path / "second")).exit_code == 0, "what a dead process had done is done"


async def test_the_status_ends_with_1_where_a_day_named_has_passed(laid: tuple[World, Settings], monkeypatch: pytest.MonkeyPatch):
    real = keys_cli.standing_of
    monkeypatch.setattr(keys_cli, "standing_of", lambda *given: replace(real(*given), late=True, erasures_open=1))
    result = run("status", "--association", "probe")
    assert result.exit_code == 1
    assert "Of 1 erasures an older copy of the database still opens something." in result.output


async def test_where_there_are_several_associations_one_is_named(laid: tuple[World, Settings], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keys_cli, "codes", lambda _: ("one", "two"))
    result = run("rotate")
    assert (result.exit_code, result.output) == (1, "amanah: which association? --association one or two\n")
    assert run("rotate", "--association", "probe").exit_code == 0
