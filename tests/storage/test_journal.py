"""The journal reads back exactly what was written, and nothing that was altered, moved or taken out."""

import contextlib
import fcntl
import hmac
import json
import os
import random
import resource
import stat
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vault.storage import journal as room
from vault.storage.journal import Closing, Journal, JournalRefused, Line

VECTORS = Path(__file__).parents[1] / "vectors" / "storage" / "journal.json"
DOORS = [
    Closing("withdraw", "0a" * 16, "sms_offers|INTERNAL"),
    Closing("session", "0b" * 16),
    Closing("client-key", "k7", "1790000000000000"),
    Closing("erase", "0c" * 16),
]


def mac(line: bytes, key: bytes = b"journal key of a test") -> bytes:
    return hmac.digest(key, line, sha256)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An empty journal."""
    Journal.create(tmp_path / "journal")
    return tmp_path / "journal"


def filled(path: Path) -> Journal:
    journal = Journal(path, mac)
    for number, door in enumerate(DOORS):
        journal.append(10 + number, 1000 + number, [door])
    return journal


def refusal(path: Path) -> str:
    with pytest.raises(JournalRefused) as refused:
        Journal(path, mac)
    return refused.value.code


def test_what_is_written_is_read_back_in_order(path: Path):
    expected = [Line(10 + number, 1000 + number, door) for number, door in enumerate(DOORS)]
    assert list(filled(path).lines()) == expected
    again = Journal(path, mac)
    assert (list(again.lines()), again.newest) == (expected, 13)


def test_the_bytes_are_those_of_the_specification(path: Path):
    vector = json.loads(VECTORS.read_text(encoding="utf-8"))
    key = bytes.fromhex(vector["key"])
    journal = Journal(path, lambda line: mac(line, key))
    for group in vector["appends"]:
        journal.append(group["base"], group["time"], [Closing(**closing) for closing in group["closings"]])
    assert path.read_text(encoding="ascii") == "".join(line + "\n" for line in vector["file"])


def test_only_its_owner_may_touch_it_and_it_is_made_once(path: Path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        Journal.create(path)


def test_a_missing_file_is_refused(tmp_path: Path):
    assert refusal(tmp_path / "journal") == "journal-missing"


def test_a_line_is_flushed_before_append_returns(path: Path, monkeypatch: pytest.MonkeyPatch):
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(os.fstat(handle).st_size))
    Journal(path, mac).append(1, 2, DOORS)
    assert flushed == [path.stat().st_size] != [0]


def test_every_altered_byte_is_refused(path: Path):
    filled(path)
    whole = path.read_bytes()
    for place in range(len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x20]) + whole[place + 1 :])
        assert refusal(path) == "journal-altered", place


def test_every_line_dropped_doubled_or_moved_is_refused(path: Path):
    filled(path)
    lines = path.read_bytes().splitlines(keepends=True)
    last = len(lines) - 1
    for number in range(len(lines)):
        doubled = [*lines[: number + 1], *lines[number:]]
        dropped = lines[:number] + lines[number + 1 :]
        moved = [[*dropped[:to], lines[number], *dropped[to:]] for to in range(len(lines)) if to != number]
        # A last line taken off leaves a journal that was whole once: that is for the log to notice, not for the chain.
        for changed in [doubled, *moved, *([] if number == last else [dropped])]:
            path.write_bytes(b"".join(changed))
            assert refusal(path) == "journal-altered"


@pytest.mark.parametrize("content", [b"\n", b"\n\n", b"1 2 a b c\n", b"\xff\n", b"1 2 a b c " + b"0" * 64 + b"\n"])
def test_lines_the_vault_did_not_write_are_refused(path: Path, content: bytes):
    path.write_bytes(content)
    assert refusal(path) == "journal-altered"


def test_another_key_opens_nothing(path: Path):
    filled(path)
    with pytest.raises(JournalRefused):
        Journal(path, lambda line: mac(line, b"another"))


def test_a_torn_last_line_counts_for_nothing_wherever_it_was_torn(path: Path):
    filled(path)
    whole = path.read_bytes()
    kept = whole.rindex(b"\n", 0, -1) + 1
    for end in range(kept, len(whole)):
        path.write_bytes(whole[:end])
        journal = Journal(path, mac)
        assert len(list(journal.lines())) == 3
        journal.append(99, 1, [DOORS[0]])
        assert [line.base for line in Journal(path, mac).lines()] == [10, 11, 12, 99]


def test_nothing_of_a_torn_line_is_left_behind_a_shorter_one(path: Path):
    journal = filled(path)
    path.write_bytes(path.read_bytes() + b"x" * 500)
    journal.append(99, 1, [DOORS[1]])
    assert b"x" not in path.read_bytes()


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_at_the_end_are_taken_for_a_line(tmp_path_factory: pytest.TempPathFactory, tail: bytes):
    path = tmp_path_factory.mktemp("tail") / "journal"
    Journal.create(path)
    filled(path)
    path.write_bytes(path.read_bytes() + tail)
    if b"\n" in tail:
        assert refusal(path) == "journal-altered"
    else:
        assert len(list(Journal(path, mac).lines())) == 4


WORDS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
CLOSINGS = st.builds(Closing, WORDS, WORDS, st.one_of(st.just(""), WORDS.filter(lambda word: word != "-")))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**53), st.integers(0, 2**53), st.lists(CLOSINGS, max_size=3)), max_size=5))
def test_any_closings_are_read_back(tmp_path_factory: pytest.TempPathFactory, appends: list[tuple[int, int, list[Closing]]]):
    path = tmp_path_factory.mktemp("any") / "journal"
    Journal.create(path)
    journal = Journal(path, mac)
    for base, at, closings in appends:
        journal.append(base, at, closings)
    expected = [Line(base, at, closing) for base, at, closings in appends for closing in closings]
    assert list(Journal(path, mac).lines()) == list(journal.lines()) == expected
    assert journal.newest == Journal(path, mac).newest == max((line.base for line in expected), default=0)


@pytest.mark.parametrize("words", [("a b", "r"), ("a", "r\n"), ("", "r"), ("a", ""), ("a", "r", "-"), ("a", "r", "x y"), ("a", "مرجع")])
def test_what_could_not_be_read_again_is_no_closing(words: tuple[str, ...]):
    with pytest.raises(ValueError, match="words"):
        Closing(*words)


def test_several_processes_of_a_node_share_the_file(path: Path):
    one, two = Journal(path, mac), Journal(path, mac)
    for number in range(6):
        (one, two)[number % 2].append(number, 0, [Closing("erase", f"{number}")])
    assert [line.closing.reference for line in Journal(path, mac).lines()] == list("012345")
    assert (one.newest, two.newest) == (4, 5)


def test_a_file_cut_or_changed_while_running_takes_no_more_lines(path: Path):
    journal = filled(path)
    whole = path.read_bytes()
    for content in (b"", whole[: whole.rindex(b"\n", 0, -1) + 1], whole[:-2] + b"0\n", whole + b"x\n"):
        path.write_bytes(content)
        with pytest.raises(JournalRefused):
            journal.append(20, 1, [DOORS[0]])
        assert path.read_bytes() == content
    path.unlink()
    with pytest.raises(FileNotFoundError):
        journal.append(20, 1, [DOORS[0]])


@pytest.mark.parametrize("name", ["pwrite", "fsync"])
def test_a_disk_that_fails_leaves_the_lines_before_and_the_next_append_works(path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    journal, real = filled(path), os.pwrite
    before = path.read_bytes()

    def full(handle: int, text: bytes = b"", place: int = 0) -> int:
        if text and place == len(before):
            return real(handle, text[:30], place)  # the first bytes still find room
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, name, full)
        with pytest.raises(OSError, match="No space"):
            journal.append(20, 1, [DOORS[0]])
    assert path.read_bytes() == before
    journal.append(21, 1, [DOORS[1]])
    assert [line.base for line in Journal(path, mac).lines()] == [10, 11, 12, 13, 21]


def test_a_process_that_keeps_the_file_to_itself_is_waited_for_only_so_long(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(room, "LOCK_SECONDS", 0.1)
    journal = filled(path)
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            journal.append(20, 1, [DOORS[0]])
    journal.append(21, 1, [DOORS[0]])
    assert len(list(journal.lines())) == 5


WRITER = """
import sys
from pathlib import Path
from tests.storage.test_journal import mac
from vault.storage.journal import Closing, Journal
journal = Journal(Path(sys.argv[1]), mac)
number = len(list(journal.lines())) // 3
while True:
    journal.append(number, 0, [Closing("erase", f"{number}", "x" * 200) for _ in range(3)])
    number += 1
    print(number, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_every_acknowledged_line(path: Path):
    moments, told = random.Random(11), 0
    for _ in range(6):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            told = int(writer.stdout.readline())
            time.sleep(moments.uniform(0, 0.03))
            writer.kill()
            rest = writer.stdout.read().split()
        told = int(rest[-1]) if rest else told
        lines = list(Journal(path, mac).lines())
        assert told * 3 <= len(lines) <= told * 3 + 3
        assert [line.base for line in lines[: told * 3]] == [number for number in range(told) for _ in range(3)]
        # A group that was written in part is taken back, so that the count of the next writer is plain.
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[: told * 3]))


def test_a_process_without_a_descriptor_left_still_closes_doors(path: Path):
    journal = filled(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(int(each.name) for each in Path("/proc/self/fd").iterdir()) + 4, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        with pytest.raises(OSError, match="Too many open files"):
            path.read_bytes()
        journal.append(20, 2000, DOORS[:1])
    finally:
        for handle in taken:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [line.base for line in Journal(path, mac).lines()] == [10, 11, 12, 13, 20]


def test_a_file_put_in_its_place_is_the_one_that_is_written(path: Path):
    journal = filled(path)
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)
    journal.append(20, 2000, DOORS[:1])
    assert [line.base for line in Journal(path, mac).lines()][-1] == 20
    path.unlink()
    with pytest.raises(FileNotFoundError):
        journal.append(21, 2001, DOORS[:1])
    Journal.create(path)
    with pytest.raises(JournalRefused):
        journal.append(21, 2001, DOORS[:1])


def test_it_tells_whether_a_line_could_be_written_and_asks_anew(path: Path, monkeypatch: pytest.MonkeyPatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    journal, away = filled(path), path.with_name("away")
    assert journal.takes_lines()
    path.rename(away)
    assert journal.takes_lines(), "nothing was lost yet"
    with pytest.raises(FileNotFoundError):
        journal.append(20, 2000, DOORS[:1])
    assert not journal.takes_lines()
    away.rename(path)
    assert not journal.takes_lines(), "asked once a second"
    now[0] += 1
    before = path.read_bytes()
    assert journal.takes_lines()
    assert path.read_bytes() == before, "asking leaves no trace"
    journal.append(20, 2000, DOORS[:1])
    assert journal.takes_lines()


def test_a_tool_that_may_only_read_reads(path: Path, monkeypatch: pytest.MonkeyPatch):
    filled(path)
    real = os.open

    def forbidden(*_given: object, **_named: object) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", forbidden)
    journal = Journal(path, mac)
    with pytest.raises(PermissionError):
        journal.append(20, 2000, DOORS[:1])
    monkeypatch.setattr(os, "open", real)
    journal.append(20, 2000, DOORS[:1])
    assert len(list(journal.lines())) == 5
