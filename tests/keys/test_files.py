"""Small files are written whole or not at all, and a new one replaces nothing."""

import os
from pathlib import Path

import pytest

from keys import files


def test_a_file_that_could_not_be_flushed_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(_handle: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        files.write_new(tmp_path / "root", b"content", 0o400)
    assert not (tmp_path / "root").exists()


def test_what_a_death_left_beside_goes_with_the_next_writing(tmp_path: Path):
    (tmp_path / "root.new").write_bytes(b"half")
    files.write_new(tmp_path / "root", b"content", 0o400)
    assert [(one.name, one.read_bytes(), one.stat().st_mode & 0o777) for one in tmp_path.iterdir()] == [("root", b"content", 0o400)]


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path):
    files.write_new(tmp_path / "root", b"first", 0o400)
    with pytest.raises(FileExistsError):
        files.write_new(tmp_path / "root", b"second", 0o400)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("root", b"first")]
