"""A root that does not answer seals its own association and no other, and opens it again when it does; the clock here is a test's."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest
from prometheus_client import CollectorRegistry

from keys import epochs, files
from keys.errors import Unopenable
from keys.keyring import AssociationKeys
from keys.roots import Root, key_file, passphrase_file
from keys.roots.key_file import KeyFile
from keys.roots.local import LocalRoot
from keys.roots.systemd_credential import FOLDER, SystemdCredential
from keys.secret import Secret
from tests import simulator
from vault import app, serving
from vault.app import House, application, asking
from vault.errors import Unavailable, VaultError
from vault.identity import founding
from vault.identity.opening import identifier_of, load_keys
from vault.settings import Settings, SettingsRefused, read
from vault.storage import schema
from vault.storage.engine import Database
from vault.storage.journal import JournalRefused
from vault.unsealing import ASK_SECONDS, GIVE_UP_SECONDS, LIMIT_SECONDS, RETRY_SECONDS, ROOT_SECONDS, Doors, Keeper

HOUR = 3600.0
FIRST, SECOND = "first", "second"


class Network(LocalRoot):
    """A root somewhere else: it answers, is silent until `answers` is set, or fails with what `fails` holds."""

    __slots__ = ("answers", "asked", "fails")
    kind = "network"

    def __init__(self, root: Secret) -> None:
        super().__init__(root)
        self.answers = threading.Event()
        self.answers.set()
        self.asked = 0
        self.fails: BaseException | None = None

    def unwrap(self, context: bytes, blob: bytes) -> Secret:
        """Think about it first."""
        self.asked += 1
        self.answers.wait()
        if self.fails is not None:
            raise self.fails
        return super().unwrap(context, blob)


@dataclass(slots=True)
class Scene:
    """Two associations in one vault; `roots` by code, `time` in seconds that only the test moves."""

    settings: Settings
    roots: dict[str, Network]
    keys: dict[str, str]
    time: float = 0.0
    said: list[str] = field(default_factory=list)
    houses: list[House] = field(default_factory=list)

    def open(self) -> House:
        """Open the house as the service does at its start."""
        self.houses.append(House.open(self.settings, say=self.said.append))
        return self.houses[-1]

    def keeper(self, database: Database, code: str, folder: Path, root: Callable[[], Root]) -> Keeper:
        """The roof's keeper, but for the clock and its patience."""
        identifier = identifier_of(database, code)
        return Keeper(lambda: load_keys(identifier, root(), folder), seconds=0.3, tick=lambda: self.time)

    def answer(self, code: str) -> None:
        """Let the root answer, and wait until it has answered what it was asked before."""
        self.roots[code].answers.set()
        if (asked := self.houses[-1].keepers[code]._asked) is not None:
            asked.result(5)

    def folder(self, code: str) -> Path:
        return self.settings.association_folder(code)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    settings = Settings(data_dir=str(tmp_path / "data"))
    settings.folder.mkdir()
    database = Database(settings.address)
    schema.upgrade(database)
    made = Scene(settings, {code: Network(Secret.random()) for code in (FIRST, SECOND)}, {})
    with patch.multiple(founding, _account=simulator._account, hash_password=simulator._hash_password):
        for code, root in made.roots.items():
            found = founding.found(
                database, code=code, pack="cooperative", folder=settings.association_folder(code), root=root, clock=app.clock
            )
            made.keys[code] = found.api_key
    database.dispose()
    monkeypatch.setattr(app, "root_of", lambda _, code: made.roots[code])
    monkeypatch.setattr(app, "keeper_of", made.keeper)
    yield made
    for root in made.roots.values():
        root.answers.set()
    for house in made.houses:
        house.close()


async def statuses(house: House, scene: Scene, code: str) -> set[tuple[int, str]]:
    """What calls to an association are answered with: a client's, a stranger's, a visitor's, somebody's who signs in."""
    front = application(house, BytesIO(), CollectorRegistry())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=front), base_url="http://vault") as client:
        answers = [
            await client.get("/v1/purposes", headers={"Authorization": f"Bearer {scene.keys[code]}"}),
            await client.get(f"/v1/public/{code}/notice"),
            await client.get(f"/{code}/report"),
        ]
    return {(one.status_code, "sealed" if "sealed" in one.text or "خزنة البيانات مغلقة" in one.text else "") for one in answers}


async def ready(house: House) -> bool:
    house._look_again = 0.0
    return await house.ready()


OPEN, SHUT = {(200, "")}, {(503, "sealed")}


@pytest.mark.asyncio
async def test_attack_46_a_silent_root_seals_its_own_association_at_start_until_it_answers(scene: Scene):
    scene.roots[SECOND].answers.clear()
    house = scene.open()
    assert (set(house.associations), house.sealed) == ({FIRST}, {SECOND})
    assert await statuses(house, scene, FIRST) == OPEN
    assert await statuses(house, scene, SECOND) == SHUT
    with pytest.raises(Unavailable) as told:
        await ready(house)
    assert told.value.code == "sealed"
    scene.answer(SECOND)
    await house.tend()  # not yet a minute later
    assert house.sealed == {SECOND}
    scene.time += RETRY_SECONDS
    await house.tend()
    assert (set(house.associations), house.sealed) == ({FIRST, SECOND}, set())
    assert await statuses(house, scene, SECOND) == OPEN
    assert await ready(house)
    assert scene.said == ["second is open: its root answers"]


@pytest.mark.asyncio
async def test_attack_46_an_open_association_works_for_twelve_hours_without_its_root_and_not_longer(scene: Scene):
    house = scene.open()
    scene.roots[SECOND].answers.clear()
    for hour in range(1, 12):
        scene.time = hour * HOUR
        await house.tend()
        assert await ready(house)
    assert await statuses(house, scene, SECOND) == OPEN
    scene.time = 12 * HOUR
    await house.tend()
    assert house.sealed == {SECOND}
    assert await statuses(house, scene, SECOND) == SHUT
    assert await statuses(house, scene, FIRST) == OPEN
    assert scene.said == ["second is sealed: its root has not answered for twelve hours"]
    scene.answer(SECOND)
    scene.time += RETRY_SECONDS
    await house.tend()
    assert await statuses(house, scene, SECOND) == OPEN
    await house.checkpoints()


@pytest.mark.asyncio
async def test_one_answer_in_twelve_hours_keeps_an_association_open(scene: Scene):
    house = scene.open()
    for hour in range(1, 24):
        answers = scene.roots[SECOND].answers
        answers.set() if hour % 11 == 0 else answers.clear()
        scene.time = hour * HOUR
        await house.tend()
    assert not house.sealed


@pytest.mark.asyncio
async def test_the_hourly_answer_takes_over_a_file_that_was_rewritten_and_no_older_one(scene: Scene):
    house = scene.open()
    path, held = scene.folder(SECOND) / "epochs", house.associations[SECOND].cabinet.keys
    before, asked = path.read_bytes(), scene.roots[SECOND].asked
    epochs.rotate(path, held.association, scene.roots[SECOND], 1)
    asked = scene.roots[SECOND].asked
    await house.tend()
    assert (held.epoch, scene.roots[SECOND].asked) == (1, asked)
    scene.time += ASK_SECONDS
    await house.tend()
    assert held.epoch == 2
    files.replace(path, before, 0o600)
    scene.time += ASK_SECONDS
    await house.tend()
    assert (held.epoch, house.sealed) == (2, set())
    assert scene.said == ["second: the file of epochs is an older one than what is open"]


@pytest.mark.asyncio
@pytest.mark.parametrize("error", [OSError(), Unopenable(), RuntimeError("of a library"), SystemExit(1)])
async def test_attack_46_a_root_that_fails_however_it_likes_seals_its_own_association(scene: Scene, error: BaseException):
    scene.roots[SECOND].fails = error
    house = scene.open()
    assert await statuses(house, scene, FIRST) == OPEN
    assert await statuses(house, scene, SECOND) == SHUT


@pytest.mark.asyncio
async def test_what_cannot_be_opened_when_the_root_answers_is_tried_again(scene: Scene):
    scene.roots[SECOND].answers.clear()
    house = scene.open()
    scene.answer(SECOND)
    journal = scene.folder(SECOND) / "journal"
    journal.rename(journal.with_name("aside"))
    scene.time += RETRY_SECONDS
    await house.tend()
    assert house.sealed == {SECOND}
    journal.with_name("aside").rename(journal)
    scene.time += ASK_SECONDS
    await house.tend()
    assert not house.sealed


@pytest.mark.parametrize(
    ("name", "error", "code"),
    [
        ("epochs", Unavailable, "epochs-missing"),
        ("journal", JournalRefused, "journal-missing"),
        ("checkpoint", Unavailable, "checkpoint-missing"),
    ],
)
def test_a_missing_file_stops_the_start_as_before(scene: Scene, name: str, error: type[VaultError], code: str):
    (scene.folder(SECOND) / name).unlink()
    with pytest.raises(error) as told:
        scene.open()
    assert told.value.code == code


def test_a_file_of_epochs_that_others_may_touch_stops_the_start(scene: Scene):
    (scene.folder(SECOND) / "epochs").chmod(0o644)
    with pytest.raises(PermissionError):
        scene.open()


def test_the_operator_is_told_what_is_sealed(scene: Scene, capsys: pytest.CaptureFixture[str]):
    scene.roots[FIRST] = Network(Secret.random())
    scene.houses.append(serving._open(scene.settings))
    scene.roots[SECOND].answers.clear()
    scene.houses.append(serving._open(scene.settings))
    another = "it is another's, or the file of epochs was altered"
    assert capsys.readouterr().err.splitlines() == [
        f"amanah: first is sealed: its root does not open it ({another}); it is asked again every minute",
        f"amanah: first is sealed: its root does not open it ({another}); it is asked again every minute",
        "amanah: second is sealed: its root does not open it (no answer); it is asked again every minute",
    ]


@pytest.mark.asyncio
async def test_the_service_asks_by_itself(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    house, tended = scene.open(), asyncio.Event()

    async def tend(_: House) -> None:
        if not scene.said:
            raise RuntimeError("of a defect")
        tended.set()

    monkeypatch.setattr(app, "TEND_SECONDS", 0.0)
    monkeypatch.setattr(House, "tend", tend)
    task = asyncio.create_task(app._keep_asking(house))
    await asyncio.wait_for(tended.wait(), 5)
    task.cancel()
    assert scene.said == ["asking the roots failed (RuntimeError)"]


def _answer() -> AssociationKeys:
    return AssociationKeys(bytes(16), {1: Secret.random()}, 1)


def test_a_late_answer_is_taken_by_whoever_asks_next_and_only_one_question_is_out():
    answers, asked = threading.Event(), []

    def load() -> AssociationKeys:
        asked.append(1)
        answers.wait()
        return _answer()

    keeper = Keeper(load, seconds=0.1)
    for _ in range(3):
        with pytest.raises(Unavailable):
            keeper.keys()
    late = keeper.begin()
    answers.set()
    assert keeper.begin() is late
    assert late.result(5) is keeper.keys()
    assert len(asked) == 1
    keeper.keys()
    assert len(asked) == 2


def test_a_question_that_is_never_answered_is_given_up_and_put_anew():
    time, hangs, asked = [0.0], threading.Event(), []

    def load() -> AssociationKeys:
        asked.append(1)
        if len(asked) == 1:
            hangs.wait()
        return _answer()

    keeper = Keeper(load, seconds=0.1, tick=lambda: time[0])
    with pytest.raises(Unavailable):
        keeper.keys()
    time[0] = GIVE_UP_SECONDS - 1
    with pytest.raises(Unavailable):
        keeper.keys()
    time[0] = GIVE_UP_SECONDS
    assert keeper.keys().epoch == 1
    hangs.set()


def test_the_numbers_are_those_of_the_operators_page():
    page = Path("docs/operate.md").read_text(encoding="utf-8")
    assert (ROOT_SECONDS, RETRY_SECONDS, ASK_SECONDS, LIMIT_SECONDS) == (10, 60, 3600, 12 * 3600)
    for said in ("10 seconds", "every minute", "every hour", "12 hours"):
        assert said in page


def test_doors_tell_what_is_open_what_is_sealed_and_what_there_is_none_of():
    association = object()
    doors = Doors({"open": association}, {"shut"})  # type: ignore[dict-item]
    assert (list(doors), len(doors), doors["open"], doors.get("nobody")) == (["open"], 1, association, None)
    with pytest.raises(KeyError):
        doors["nobody"]
    for ask in (lambda: doors.get("shut"), lambda: doors["shut"]):
        with pytest.raises(Unavailable):
            ask()


def test_a_root_in_a_file_is_read_anew_each_time_and_a_passphrase_from_a_descriptor_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(passphrase_file, "_MEMORY", passphrase_file._LEAST_MEMORY)
    key_file.create(tmp_path / "root")
    ask = asking(Settings(root_key_file=str(tmp_path / "root")), FIRST)
    assert isinstance(ask(), KeyFile)
    assert ask() is not ask()
    (tmp_path / "root").unlink()
    with pytest.raises(FileNotFoundError):
        ask()
    passphrase_file.create(tmp_path / "sealed", b"a long passphrase")
    reading, writing = os.pipe()
    os.write(writing, b"a long passphrase\n")
    os.close(writing)
    ask = asking(Settings(root_key_file=str(tmp_path / "sealed"), root_passphrase_file=f"/dev/fd/{reading}"), FIRST)
    assert ask() is ask()
    os.close(reading)


def test_a_credential_of_systemd_is_a_root_and_stands_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    key_file.create(tmp_path / "amanah-root")
    monkeypatch.setenv(FOLDER, str(tmp_path))
    settings = read({}, {"AMANAH_ROOT_CREDENTIAL": "amanah-root"})
    root = app.root_of(settings, FIRST)
    assert isinstance(root, SystemdCredential)
    assert KeyFile(tmp_path / "amanah-root").unwrap(b"x", root.wrap(b"x", Secret(bytes(32)))).reveal() == bytes(32)
    assert asking(settings, FIRST)() is not asking(settings, FIRST)()
    for other in ("ROOT_KEY_FILE", "ROOT_PASSPHRASE_FILE"):
        with pytest.raises(SettingsRefused) as told:
            read({}, {"AMANAH_ROOT_CREDENTIAL": "amanah-root", f"AMANAH_{other}": "x"})
        assert told.value.code == "settings-root-credential"
