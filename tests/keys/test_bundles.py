"""Bundles: the same files give the same bytes, stock tools open them, and a reader takes nothing else."""

import io
import subprocess
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import bundles
from keys.bundles import SUMS, bundle, sums, unbundled
from keys.errors import Unopenable, Unsealable

FILES = {"content.json": b"{}", "page.ar.html": "<p>فاطمة".encode(), "files/1-deed.pdf": b"%PDF-1.7" + b"x" * 3000}
NAMES = st.from_regex(r"\A(?:files/)?[A-Za-z0-9][A-Za-z0-9._-]{0,20}\Z").filter(lambda name: name != SUMS)


def archive(files: dict[str, bytes], how: int = zipfile.ZIP_STORED, twice: str = "") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", how) as out:
        for name, content in files.items():
            out.writestr(name, content)
        if twice:
            with pytest.warns(UserWarning, match="Duplicate"):
                out.writestr(twice, b"again")
    return made.getvalue()


@given(st.dictionaries(NAMES, st.binary(max_size=2000), max_size=8))
def test_what_was_put_in_comes_out_and_the_same_files_give_the_same_bytes(files: dict[str, bytes]):
    made = bundle(files)
    assert unbundled(made) == files
    assert bundle(dict(reversed(files.items()))) == made
    assert len(made) % 1024 == 0


def test_unzip_and_sha256sum_of_every_computer_open_and_check_it(tmp_path: Path):
    (tmp_path / "bundle.zip").write_bytes(bundle(FILES))
    with zipfile.ZipFile(tmp_path / "bundle.zip") as out:
        assert out.testzip() is None
        out.extractall(tmp_path / "out")
    done = subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=tmp_path / "out", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count(": OK")) == (0, len(FILES)), done.stderr


@pytest.mark.parametrize("name", ["../up", "/etc", "files/../up", "a/b/c", "files/", "", ".hidden", "with space", "a" * 121, SUMS])
def test_a_name_that_leads_elsewhere_is_neither_written_nor_taken(name: str):
    with pytest.raises(Unsealable):
        bundle({name: b""})
    files = {name or " ": b"x"}  # the archive itself has no empty names
    with pytest.raises(Unopenable):
        unbundled(archive({**files, SUMS: sums(files)}))


def test_a_reader_takes_nothing_but_what_the_list_names():
    listed = {**FILES, SUMS: sums(FILES)}
    assert unbundled(archive(listed)) == FILES
    altered = [
        archive({**listed, "content.json": b"[]"}),
        archive({**listed, "more.txt": b""}),
        archive({name: content for name, content in listed.items() if name != "page.ar.html"}),
        archive(FILES),
        archive({}),
        archive(listed, zipfile.ZIP_DEFLATED),
        archive(listed, twice="content.json"),
        b"",
        b"PK",
        bundle(FILES)[:-1500],
    ]
    for content in altered:
        with pytest.raises(Unopenable) as refused:
            unbundled(content)
        assert refused.value.__context__ is None


def test_one_bit_changed_where_a_file_lies_is_refused():
    whole = bundle({"content.json": b"0123456789"})
    begins = whole.index(b"0123456789")
    for place in range(begins, begins + 10):
        with pytest.raises(Unopenable):
            unbundled(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])


def test_too_many_files_and_too_many_bytes_are_not_written(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bundles, "MOST_FILES", 3)
    monkeypatch.setattr(bundles, "LARGEST", 10)
    assert unbundled(bundle({"a": b"", "b": b"0123456789"})) == {"a": b"", "b": b"0123456789"}
    for files in ({"a": b"", "b": b"", "c": b""}, {"a": b"0123456789", "b": b"0"}):
        with pytest.raises(Unsealable):
            bundle(files)
