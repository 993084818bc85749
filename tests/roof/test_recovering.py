"""`amanah keys recover`: the root key is lost, and those who hold shares of a recovery slot put the vault in order again."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from keys import epochs
from keys.roots import key_file, shamir
from keys.roots.shamir import Share
from tests.household import store
from tests.roof.test_keys_cli import laid, run
from tests.simulator import World
from vault.settings import Settings

__all__ = ["laid"]

pytestmark = pytest.mark.asyncio(loop_scope="function")


def handed_out(made: World, folder: Path) -> list[Path]:
    """The sheets of a recovery slot, a file for each."""
    root, shares = shamir.create()
    epochs.add_slot(made.folder / "epochs", made.association.id, made.root, "recovery", root)
    return [written(folder / f"share-{share.index}", share) for share in shares]


def written(path: Path, share: Share) -> Path:
    path.write_text(share.printed(), encoding="utf-8")
    return path


def options(sheets: Sequence[Path]) -> list[str]:
    return [word for sheet in sheets for word in ("--share-file", str(sheet))]


async def test_a_lost_root_is_replaced_by_who_holds_enough_shares(laid: tuple[World, Settings], tmp_path: Path):
    made, settings = laid
    await store(made)
    sheets, lost = handed_out(made, tmp_path), settings.root_path("probe")
    lost.unlink()
    assert run("rotate").exit_code == 1
    done = run("recover", "daily", *options(sheets[1:4]))
    assert (done.exit_code, "opens the keys by the slot daily" in done.output) == (0, True)
    told = epochs.told(made.folder / "epochs", made.association.id, key_file.KeyFile(lost))
    assert [name for name, _ in told.slots] == ["main", "recovery", "daily"]
    assert (made.entries()[-1].kind, made.entries()[-1].flags) == ("keys.recovered", ("at-the-machine",))
    assert run("rotate").exit_code == 0


async def test_too_few_shares_and_a_root_that_is_not_lost_change_nothing(laid: tuple[World, Settings], tmp_path: Path):
    made, settings = laid
    sheets = handed_out(made, tmp_path)
    before = (made.folder / "epochs").read_bytes(), len(made.entries())
    few = run("recover", "daily", *options(sheets[:2]))
    assert (few.exit_code, "shares-too-few: share 2" in few.output) == (1, True)
    there = run("recover", "daily", *options(sheets[:3]))
    assert (there.exit_code, "slot-refused" in there.output, settings.root_path("probe").exists()) == (1, True, True)
    _, foreign = shamir.create()
    strange = [written(tmp_path / f"strange-{share.index}", share) for share in foreign[:3]]
    settings.root_path("probe").unlink()
    other = run("recover", "daily", *options(strange))
    assert (other.exit_code, "sealed" in other.output) == (1, True)
    strange[0].write_bytes(b"\xff\xfe")
    assert "is no text" in run("recover", "daily", *options(strange)).output
    assert ((made.folder / "epochs").read_bytes(), len(made.entries())) == before


@pytest.mark.parametrize("died", ["before its slot was there", "before it was told"])
async def test_what_was_broken_off_is_completed_by_the_same_command(laid: tuple[World, Settings], tmp_path: Path, died: str):
    made, settings = laid
    sheets, path = handed_out(made, tmp_path), settings.root_path("probe")
    path.unlink()
    new = key_file.create(path)
    if died == "before it was told":
        epochs.add_slot(made.folder / "epochs", made.association.id, made.root, "daily", new)
    done = run("recover", "daily", *options(sheets[:3]))
    assert (done.exit_code, made.entries()[-1].kind) == (0, "keys.recovered"), done.output
    assert [name for name, _ in epochs.told(made.folder / "epochs", made.association.id, new).slots] == ["main", "recovery", "daily"]


async def test_a_name_that_is_taken_leaves_no_new_root(laid: tuple[World, Settings], tmp_path: Path):
    made, _ = laid
    sheets, new = handed_out(made, tmp_path), tmp_path / "new"
    taken = run("recover", "main", *options(sheets[:3]), "--root-file", str(new))
    assert (taken.exit_code, "slot-refused" in taken.output, new.exists()) == (1, True, False)
