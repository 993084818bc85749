"""Retired is gone: refused while a key names it, in the order journal, file, log, completed after any death; no older file comes back."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from keys import epochs
from keys.errors import Unopenable
from tests.access.desk import put, rows_of
from tests.custody.keeper import Keeper, carry_out, known, rewrap, rotate
from tests.household import grant, read, store
from tests.simulator import World
from vault.access_log.deed import Deed
from vault.custody.retiring import StillInUse, settle
from vault.errors import Conflict, Unavailable
from vault.examining import examine
from vault.reclosing import reclose
from vault.rulebook.key_facts import EPOCH
from vault.rulebook.tables import fact
from vault.settings import Settings
from vault.storage.journal import Closing
from vault.subjects import tables as subjects

pytestmark = pytest.mark.asyncio(loop_scope="function")


class Died(BaseException):
    """The process is no more."""


async def somebody(world: World) -> bytes:
    kept = await store(world)
    world.clock.forward(1)
    await grant(world, kept.record)
    return kept.record


async def test_nothing_is_retired_while_a_key_names_an_older_epoch(vault: World):
    await somebody(vault)
    rotate(vault)
    async with Keeper.over(vault) as keeper:
        id_ = await keeper.agreed("retire", below=2)
        size = len(vault.entries())
        with pytest.raises(StillInUse) as refused:
            carry_out(vault, id_)
        assert refused.value.left == {"association_key": 6, "subject_sheet": 1, "subject_key": 6}
        assert len(vault.entries()) == size
        assert [line for line in vault.association.log.journal.lines() if line.closing.kind == EPOCH] == []
        rewrap(vault)
        assert carry_out(vault, id_).state == "carried-out"


async def test_the_journal_has_its_line_before_the_file_is_rewritten_and_the_log_after(vault: World, monkeypatch: pytest.MonkeyPatch):
    record = await somebody(vault)
    rotate(vault)
    rewrap(vault)
    async with Keeper.over(vault) as keeper:
        id_ = await keeper.agreed("retire", below=2)
        real: Callable[..., Any] = epochs.retire

        def watched(*arguments: Any) -> Any:
            assert [line.closing for line in vault.association.log.journal.lines()][-1] == Closing(EPOCH, "2", id_.hex())
            return real(*arguments)

        monkeypatch.setattr(epochs, "retire", watched)
        carry_out(vault, id_)
    assert [each.kind for each in vault.entries()[-2:]] == ["keys.retiring", "keys.retired"]
    assert epochs.load(vault.folder / "epochs", vault.association.id, vault.root).minimum_epoch == 2
    assert await read(vault, record)


async def test_another_process_lets_go_of_a_retired_epoch_at_its_next_deed(vault: World):
    await somebody(vault)
    other = vault.reopen()
    try:
        await other.refresh()
        old = rows_of(vault, subjects.data_key)
        rotate(vault)
        rewrap(vault)
        async with Keeper.over(vault) as keeper:
            await keeper.carried_out("retire", below=2)
        await other.refresh()
        assert other.cabinet.keys.minimum_epoch == 2
        with pytest.raises(Unopenable):
            other.cabinet.keys.unwrap(old[0]["subject"], old[0]["class_id"], old[0]["wrapped"])
    finally:
        other.log.close()


@pytest.mark.parametrize("moment", ["before the line", "after the line", "before the file", "after the file", "after the log"])
async def test_whenever_the_process_dies_the_next_start_finds_the_old_state_or_completes(
    vault: World, monkeypatch: pytest.MonkeyPatch, moment: str
):
    record = await somebody(vault)
    rotate(vault)
    rewrap(vault)
    async with Keeper.over(vault) as keeper:
        id_ = await keeper.agreed("retire", below=2)
    with monkeypatch.context() as patch:
        die(patch, vault, moment)
        with pytest.raises(Died):
            carry_out(vault, id_)
    other = vault.reopen()
    try:
        completed = settle(other, lambda: vault.root, vault.clock)
        assert reclose(other, vault.clock) == 0
        minimum = 1 if moment == "before the line" else 2
        assert known(vault).minimum == other.cabinet.keys.minimum_epoch == minimum
        assert epochs.load(vault.folder / "epochs", vault.association.id, vault.root).minimum_epoch == minimum
        assert completed == (moment not in {"before the line", "after the log"})
        if completed:
            assert vault.entries()[-1].flags == ("from-journal",)
            with pytest.raises(Conflict, match="ceremony-settled"):
                carry_out(vault, id_, other)
        elif minimum == 1:
            assert carry_out(vault, id_, other).state == "carried-out"
        assert len([each for each in vault.entries() if each.kind == "keys.retired"]) == 1
        assert await read(vault, record, through=other)
    finally:
        other.log.close()


def die(patch: pytest.MonkeyPatch, world: World, moment: str) -> None:
    """Die at this moment of carrying out."""

    def death(*_: Any) -> Any:
        raise Died

    real_append, real_retire = type(world.association.log.journal).append, epochs.retire
    match moment:
        case "before the line":
            patch.setattr(type(world.association.log.journal), "append", death)
        case "after the line":
            patch.setattr(type(world.association.log.journal), "append", lambda *each: (real_append(*each), death()))
        case "before the file":
            patch.setattr(epochs, "retire", death)
        case "after the file":
            patch.setattr(epochs, "retire", lambda *each: (real_retire(*each), death()))
        case _:
            seen = Deed.commit_seen

            def committed(deed: Deed) -> None:
                seen(deed)
                if deed.law > deed.law_at_begin:
                    raise Died

            patch.setattr(Deed, "commit_seen", committed)


async def test_a_line_of_the_journal_alone_is_completed_where_no_key_names_an_older_epoch(small: World):
    """The database lost the ceremony with the transaction, the line is on the disk."""
    await somebody(small)
    rotate(small)
    rewrap(small)
    small.association.log.journal.append(len(small.entries()), small.clock.now, [Closing(EPOCH, "2", "ab" * 16)])
    assert settle(small.association, lambda: small.root, small.clock)
    assert (known(small).minimum, known(small).retirements[0].ceremony) == (2, "ab" * 16)
    assert not settle(small.association, lambda: small.root, small.clock)


async def test_what_was_begun_is_completed_by_the_same_command(told: tuple[World, Settings], monkeypatch: pytest.MonkeyPatch):
    small, settings = told
    rotate(small)
    rewrap(small)
    async with Keeper.over(small) as keeper:
        id_ = await keeper.agreed("retire", below=2)
        with monkeypatch.context() as patch:
            die(patch, small, "before the file")
            with pytest.raises(Died):
                carry_out(small, id_)
        assert any("begun and not completed; amanah keys carry-out" in line for line in examine(settings, small.clock.now))
        late = await keeper.ask("admin", "POST", f"/{uuid.UUID(bytes=id_)}/withdrawal")
        assert late.json()["code"] == "ceremony-settled"
        assert carry_out(small, id_).state == "carried-out"


def require_refused_start(world: World) -> None:
    """A process that starts now meets an older file or database, and does not serve."""
    other = world.reopen()
    try:
        with pytest.raises(Unavailable, match="epochs-older"):
            settle(other, lambda: world.root, world.clock)
    finally:
        other.log.close()


async def test_an_older_file_put_back_is_refused_at_start(told: tuple[World, Settings]):
    world, settings = told
    path = world.folder / "epochs"
    rotate(world)
    rewrap(world)
    old = path.read_bytes()
    async with Keeper.over(world) as keeper:
        await keeper.carried_out("retire", below=2)
    put_file(path, old)
    require_refused_start(world)
    assert any("epochs: the file is older" in line for line in examine(settings, world.clock.now))


async def test_a_file_from_before_a_rotation_is_refused_at_start(small: World):
    path = small.folder / "epochs"
    old = path.read_bytes()
    rotate(small)
    put_file(path, old)
    require_refused_start(small)


async def test_where_the_journal_says_retired_and_keys_still_name_the_epoch_the_start_is_refused(small: World):
    """A database and a file of before, with the journal of after: nothing of it opens by itself."""
    await somebody(small)
    rotate(small)
    for below in (2, 3):
        small.association.log.journal.append(len(small.entries()), small.clock.now, [Closing(EPOCH, str(below), "ab" * 16)])
        require_refused_start(small)
        rewrap(small)


async def test_a_file_that_cannot_be_written_leaves_the_retirement_to_be_completed(small: World, monkeypatch: pytest.MonkeyPatch):
    rotate(small)
    rewrap(small)
    async with Keeper.over(small) as keeper:
        id_ = await keeper.agreed("retire", below=2)

    def full(*_: Any) -> None:
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(epochs, "retire", full)
        with pytest.raises(Unavailable, match="sealed"):
            carry_out(small, id_)
    assert carry_out(small, id_).state == "carried-out"


async def test_an_epoch_retired_meanwhile_or_never_made_is_not_retired(small: World):
    rotate(small)
    rotate(small)
    rewrap(small)
    async with Keeper.over(small) as keeper:
        first, second = await keeper.agreed("retire", below=2), await keeper.agreed("retire", below=3)
        carry_out(small, second)
        with pytest.raises(Conflict, match="epochs-out-of-range"):
            carry_out(small, first)
        assert known(small).retirement_of(1) == known(small).retirement_of(2)
        assert known(small).retirement_of(3) is None


async def test_epochs_are_gone_only_when_every_named_copy_is(vault: World):
    async with Keeper.over(vault) as keeper:
        await keeper.carried_out("copy-add", name="safe")
        await keeper.carried_out("copy-add", name="bank")
        rotate(vault)
        rewrap(vault)
        id_ = await keeper.agreed("retire", below=2)
        carry_out(vault, id_)
        ceremony = uuid.UUID(bytes=id_)
        assert known(vault).gone_at(1) is None
        vault.clock.forward(60)
        first = await keeper.ask("admin", "POST", f"/{ceremony}/copies/safe/confirmation")
        assert first.status_code == 200
        assert first.json()["gone_at"] is None
        word = known(vault).retirements[0].copies[0]
        assert word.gone_by.startswith("staff:")
        again = await keeper.ask("admin", "POST", f"/{ceremony}/copies/safe/confirmation")
        assert again.json() == first.json()
        for path in (f"/{ceremony}/copies/desk/confirmation", f"/{uuid.uuid4()}/copies/safe/confirmation"):
            assert (await keeper.ask("admin", "POST", path)).status_code == 404
        assert (await keeper.ask("officer", "POST", f"/{ceremony}/copies/bank/confirmation")).status_code == 403
        assert known(vault).gone_at(1) is None
        vault.clock.forward(60)
        await keeper.carried_out("copy-remove", name="bank")
        assert known(vault).gone_at(1) == known(vault).retirements[0].copies[1].gone_at
        [shown] = [each for each in (await keeper.ask("officer", "GET", "")).json()["items"] if each["act"] == "retire"]
        assert [(each["name"], each["gone_at"] is not None) for each in shown["copies"]] == [("safe", True), ("bank", True)]


async def test_facts_of_keys_altered_by_sql_open_nothing_and_are_named(told: tuple[World, Settings]):
    world, settings = told
    rotate(world)
    rewrap(world)
    async with Keeper.over(world) as keeper:
        id_ = await keeper.propose("retire", below=2)
        waiting = rows_of(world, fact)
        await keeper.approve(id_)
        carry_out(world, uuid.UUID(id_).bytes)
        rows, healthy = rows_of(world, fact), examine(settings, world.clock.now)
        for kind in ("keys", "key_ceremony"):
            row = next(each for each in rows if each["kind"] == kind)
            rest = [each for each in rows if each is not row]
            before = next((each for each in waiting if each["kind"] == kind), None)
            for changed in (
                [*rest, {**row, "sealed": row["sealed"][:-1] + bytes([row["sealed"][-1] ^ 1])}],
                [*rest, {**row, "version": row["version"] + 1}],
                [*rest, before or {**row, "version": 9}],
                rest,
            ):
                put(world, fact, changed)
                new = [line for line in examine(settings, world.clock.now) if line not in healthy]
                assert any(f"rulebook_fact {kind}" in line for line in new), (kind, new)
                assert (await keeper.ask("officer", "GET", "")).status_code == 503
                other = world.reopen()
                try:
                    if kind == "keys":
                        with pytest.raises(Unavailable, match="integrity"):
                            settle(other, lambda: world.root, world.clock)
                    else:
                        with pytest.raises(Unavailable, match="integrity"):
                            carry_out(world, uuid.UUID(id_).bytes, other)
                finally:
                    other.log.close()
        put(world, fact, [*rows, {**next(each for each in rows if each["kind"] == "key_ceremony"), "key": "0" * 32}])
        with pytest.raises(Unavailable, match="integrity"):
            carry_out(world, bytes(16))
        put(world, fact, rows)
        assert (await keeper.ask("officer", "GET", "")).status_code == 200


def put_file(path: Path, content: bytes) -> None:
    """Put these bytes in the place of a private file."""
    path.unlink()
    path.write_bytes(content)
    path.chmod(0o600)
