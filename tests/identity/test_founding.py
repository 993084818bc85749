"""Founding and opening: everything or nothing, and no door opens on a database that lacks what was witnessed."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from keys.passwords import check_password
from keys.roots import key_file
from tests.simulator import Clock, World, world
from vault.access_log import tables as log_tables
from vault.errors import Conflict, Invalid, NotFound, Unavailable
from vault.identity import founding
from vault.identity.founding import FilesExist, found
from vault.identity.names import name_hash
from vault.identity.opening import codes, open_association
from vault.identity.packs import notice_fields
from vault.identity.scopes import SYSTEM_SCOPES
from vault.policy.pack import load
from vault.rulebook import tables
from vault.storage.engine import Database
from vault.storage.journal import JournalRefused
from vault.storage.metadata import metadata

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def test_secrets_are_told_in_the_shape_of_the_contract(vault: World):
    told = json.loads(vault.ceremony.as_json())
    assert set(told) == {"association", "api_key", "staff"}
    assert told["association"] == "probe"
    assert set(told["staff"]) == {"admin", "officer", "second_officer"}
    for who, account in told["staff"].items():
        assert set(account) == {"username", "password", "totp_secret"}
        assert account["username"] == f"{who}@probe"


async def test_everything_a_day_one_needs_is_in_the_book(vault: World):
    book, pack = await vault.association.book(), load("cooperative")
    assert (book.association.code, book.association.pack, book.association.law_pack) == ("probe", "cooperative", "sa-pdpl")
    assert set(book.purposes) == {*pack.purposes, *load("sa-pdpl").purposes}
    assert set(book.types) == set(pack.record_types)
    for code in pack.notices:
        notice = book.current_notice(code)
        assert notice is not None
        assert notice.provisional
        assert set(notice.texts) == set(notice.sha256) == {"ar", "en"}
        assert set(notice.fields) == set(notice_fields(pack, pack.purposes[code]))
    assert sorted(member.roles for member in book.staff.values()) == [("administrator",), ("officer",), ("officer",)]
    assert all(member.ceremony and member.made_by == "ceremony" and not member.acknowledged for member in book.staff.values())
    (client,) = book.clients.values()
    assert (client.kind, client.party, client.ceremony) == ("batch", "INTERNAL", True)
    assert set(client.scopes) == set(SYSTEM_SCOPES)
    assert set(client.purposes) == {*pack.purposes, "intake"}


async def test_the_book_says_of_each_purpose_what_the_pack_says(vault: World):
    book, pack = await vault.association.book(), load("cooperative")
    for code, laid_down in pack.purposes.items():
        fact = book.purposes[code]
        assert (fact.action, set(fact.forms), fact.basis, fact.article, fact.law) == (
            laid_down.action,
            set(laid_down.forms),
            laid_down.basis,
            laid_down.article,
            laid_down.law,
        )
        for name in ("internal_only", "double_opt_in", "honours_gpc"):
            assert getattr(fact, name) == getattr(laid_down, name)
        assert (None if fact.classes is None else set(fact.classes)) == (None if laid_down.classes is None else set(laid_down.classes))


async def test_passwords_and_names_lie_only_as_hashes(vault: World):
    book = await vault.association.book()
    key = book.staff_by_name[name_hash(vault.association.cabinet, "officer", "probe")]
    assert check_password(book.staff[key].password_hash, vault.ceremony.staff["officer"].password)
    with vault.database.connect() as connection:
        stored = b"".join(bytes(row.sealed) for row in connection.execute(select(tables.fact.c.sealed)))
    for account in vault.ceremony.staff.values():
        for secret in (account.username, account.password, account.totp_secret):
            assert secret.encode() not in stored
        assert account.password not in repr(vault.ceremony)


async def test_each_founding_entry_carries_the_flag_of_the_ceremony(vault: World):
    entries = vault.entries()
    assert [entry.kind for entry in entries] == [
        "association.founded",
        "purpose.laid-down",
        "record-type.laid-down",
        "notice.published",
        "staff.made",
        "client.made",
    ]
    assert all(entry.flags == ("ceremony",) and entry.actor == "system" for entry in entries)


async def test_files_are_for_their_owner_alone(vault: World):
    assert {path.name for path in vault.folder.iterdir()} >= {"epochs", "journal", "checkpoint"}
    for path in (vault.folder, *vault.folder.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


NO_CODES = ["v1", "health", "metrics", "schema", "static", "public", "officer", "ab", "Probe", "1abc", "a_b", "a" * 33, "abc\n", ""]


@pytest.mark.parametrize("code", NO_CODES)
async def test_a_code_that_hides_a_path_or_is_none_is_refused(small: World, code: str):
    with pytest.raises(Invalid):
        found(small.database, code=code, pack="cooperative", folder=small.folder.parent / "other", root=small.root, clock=small.clock)
    assert not (small.folder.parent / "other").exists()


@pytest.mark.parametrize("pack", ["sa-pdpl", "nothing", "../sa-pdpl"])
async def test_only_the_pack_of_an_association_founds_one(small: World, pack: str):
    with pytest.raises(Invalid):
        found(small.database, code="another", pack=pack, folder=small.folder.parent / "other", root=small.root, clock=small.clock)


async def test_a_second_association_stands_beside_the_first(vault: World):
    folder = vault.folder.parent / "second"
    found(vault.database, code="second", pack="cooperative", folder=folder, root=vault.root, clock=vault.clock)
    assert codes(vault.database) == ("probe", "second")
    other = open_association(vault.database, code="second", root=vault.root, folder=folder, executor=vault.executor, clock=vault.clock)
    try:
        assert other.id != vault.association.id
        assert (await other.book()).association.code == "second"
    finally:
        other.log.close()


async def test_the_same_code_twice_is_refused_and_leaves_nothing(vault: World):
    folder = vault.folder.parent / "again"
    with pytest.raises(Conflict) as refused:
        found(vault.database, code="probe", pack="cooperative", folder=folder, root=vault.root, clock=vault.clock)
    assert refused.value.code == "association-exists"
    assert not folder.exists()


async def test_what_fails_half_way_leaves_neither_rows_nor_files(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*_args: Any, **_more: Any) -> str:
        raise RuntimeError("the disk is full")

    database, root, folder = Database(database_url), key_file.create(tmp_path / "root"), tmp_path / "home"
    with database.connect() as connection, connection.begin():
        metadata.create_all(connection)
    with monkeypatch.context() as patched:
        patched.setattr(founding, "_make_client", fail)
        with pytest.raises(RuntimeError):
            found(database, code="probe", pack="cooperative", folder=folder, root=root, clock=Clock())
    assert not folder.exists()
    with database.connect() as connection:
        for table in metadata.sorted_tables:
            assert connection.execute(select(func.count()).select_from(table)).scalar() == 0, table.name
    found(database, code="probe", pack="cooperative", folder=folder, root=root, clock=Clock())
    database.dispose()


@pytest.mark.parametrize("left", [("epochs",), ("epochs", "journal"), ("epochs", "journal", "checkpoint")])
async def test_a_founding_that_was_killed_tells_what_to_remove(database_url: str, tmp_path: Path, left: tuple[str, ...]):
    database, root, folder = Database(database_url), key_file.create(tmp_path / "root"), tmp_path / "home"
    with database.connect() as connection, connection.begin():
        metadata.create_all(connection)
    folder.mkdir()
    for name in left:
        (folder / name).write_bytes(b"")
    for _ in range(2):
        with pytest.raises(FilesExist) as refused:
            found(database, code="probe", pack="cooperative", folder=folder, root=root, clock=Clock())
        assert (refused.value.code, refused.value.files) == ("association-files-exist", tuple(folder / name for name in left))
    for path in refused.value.files:
        path.unlink()
    found(database, code="probe", pack="cooperative", folder=folder, root=root, clock=Clock())
    assert codes(database) == ("probe",)
    with pytest.raises(Conflict) as twice:
        found(database, code="probe", pack="cooperative", folder=folder, root=root, clock=Clock())
    assert twice.value.code == "association-exists"
    database.dispose()


async def test_files_of_another_association_are_never_overwritten(small: World):
    before = {path.name: path.read_bytes() for path in small.folder.iterdir()}
    with pytest.raises(FilesExist) as refused:
        found(small.database, code="another", pack="cooperative", folder=small.folder, root=small.root, clock=small.clock)
    assert (refused.value.code, {path.name for path in refused.value.files}) == ("association-files-exist", set(before))
    assert {path.name: path.read_bytes() for path in small.folder.iterdir()} == before
    assert codes(small.database) == ("probe",)


async def test_an_unknown_code_opens_nothing(small: World):
    with pytest.raises(NotFound):
        open_association(small.database, code="nobody", root=small.root, folder=small.folder, executor=small.executor, clock=small.clock)


@pytest.mark.parametrize(
    ("name", "error", "code"),
    [
        ("epochs", Unavailable, "epochs-missing"),
        ("journal", JournalRefused, "journal-missing"),
        ("checkpoint", Unavailable, "checkpoint-missing"),
    ],
)
async def test_a_missing_file_is_a_refusal_and_not_a_fresh_start(small: World, name: str, error: type[Exception], code: str):
    (small.folder / name).unlink()
    with pytest.raises(error) as refused:
        small.reopen()
    assert getattr(refused.value, "code", "") == code


async def test_an_empty_checkpoint_outside_opens_nothing(small: World):
    (small.folder / "checkpoint").write_bytes(b"")
    with pytest.raises(Unavailable, match="checkpoint-unreadable"):
        small.reopen()


async def test_another_root_opens_nothing(small: World, tmp_path: Path):
    small.root = key_file.create(tmp_path / "other-root")
    with pytest.raises(Unavailable) as refused:
        small.reopen()
    assert refused.value.code == "sealed"


async def test_a_wrapped_key_that_was_altered_opens_nothing(vault: World):
    with vault.database.connect() as connection, connection.begin():
        connection.execute(update(tables.association_key).where(tables.association_key.c.name == "pepper").values(wrapped=b"\x11" * 70))
    with pytest.raises(Unavailable) as refused:
        vault.reopen()
    assert refused.value.code == "sealed"


async def test_a_database_shorter_than_the_checkpoint_outside_is_not_opened(vault: World):
    head = log_tables.head
    with vault.database.connect() as connection, connection.begin():
        connection.execute(delete(log_tables.entry).where(log_tables.entry.c.number == 5))
        connection.execute(update(head).values(size=5))
    with pytest.raises(Unavailable) as refused:
        vault.reopen()
    assert refused.value.code == "log-shorter-than-checkpoint"


async def test_a_second_history_of_the_same_length_is_not_opened(tmp_path: Path):
    with world(f"sqlite:///{tmp_path / 'a.sqlite3'}", tmp_path) as made:
        leaf = log_tables.entry.c.leaf
        with made.database.connect() as connection, connection.begin():
            connection.execute(update(log_tables.entry).where(log_tables.entry.c.number == 2).values(leaf=b"\x07" * 32))
            assert connection.execute(select(leaf).where(log_tables.entry.c.number == 2)).scalar() == b"\x07" * 32
        with pytest.raises(Unavailable) as refused:
            made.reopen()
        assert refused.value.code == "log-forked"
