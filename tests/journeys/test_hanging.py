"""The database hangs as a dead disk makes it hang: whoever asks is told within moments, and nothing has to be started again."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.journeys.served import Served
from tests.programs import OWN_PATIENCE

RNG = random.Random("hanging")


@contextmanager
def frozen(vault: Served) -> Iterator[None]:
    """Every process of the server that serves this vault stands still while the block runs, whatever it was doing."""
    assert vault.address is not None
    with psycopg.connect(vault.address.replace("postgresql+psycopg:", "postgresql:"), autocommit=True) as keeper:
        query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        theirs = [int(pid) for (pid,) in keeper.execute(query)]
    assert theirs
    for pid in theirs:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in theirs:
            os.kill(pid, signal.SIGCONT)


@pytest.fixture
def served(fresh_postgres: Callable[[], str], tmp_path: Path) -> Iterator[Served]:
    """A vault on PostgreSQL; SQLite lies in the vault's own process, and its hanging disk is in tests/storage/test_group_commit.py."""
    vault = Served(tmp_path / "vault", fresh_postgres(), settings={OWN_PATIENCE: "1"})
    vault.folder.mkdir()
    vault.found()
    vault.start()
    yield vault
    vault.stop()


def test_whoever_asks_while_the_database_hangs_is_answered_503_and_afterwards_served(served: Served):
    record = served.store(served.fields(RNG))["id"]
    served.grant(record, served.consent("electronic", "service_delivery", ["full_name"]))
    read = f"/v1/records/{record}?purpose=service_delivery&fields=full_name"
    fields = served.fields(RNG)

    def ask(number: int) -> tuple[int, str, bool, float]:
        begun = time.monotonic()
        if number % 2:
            answer = served.call("POST", "/v1/records", {"type": "beneficiary", "fields": fields}, token=served.key())
        else:
            answer = served.call("GET", read, token=served.key())
        return answer.status, answer.code, fields["full_name"] in answer.text, time.monotonic() - begun

    with frozen(served), ThreadPoolExecutor(8) as many:
        told = list(many.map(ask, range(8)))
    assert {status for status, *_ in told} == {503}
    assert {code for _, code, *_ in told} <= {"log-unavailable", "busy"}
    assert not any(value for _, _, value, _ in told)
    print(f"answered after {max(seconds for *_, seconds in told):.1f} s")  # noqa: T201 - the figure is asked for
    until = time.monotonic() + 60
    while (again := served.call("GET", read, token=served.key())).status != 200:  # what had queued is taken out of the queue first
        assert time.monotonic() < until, again.text
        time.sleep(0.05)
