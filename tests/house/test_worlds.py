"""The databases tests are given are real, empty and durable, and no test reaches another machine."""

import smtplib
import socket
import sqlite3
from pathlib import Path

import psycopg
import pytest

from tests.conftest import FreshPostgres
from tests.house import skips


def test_each_database_is_empty_and_another(fresh_postgres: FreshPostgres):
    first, second = fresh_postgres(), fresh_postgres()
    assert first != second
    with psycopg.connect(first) as one:
        one.execute("CREATE TABLE word (said text)")
    with psycopg.connect(second) as two:
        assert two.execute("SELECT to_regclass('word')").fetchone() == (None,)


def test_the_postgresql_of_the_tests_flushes_to_disk(postgres_url: str):
    with psycopg.connect(postgres_url) as one:
        assert one.execute("SHOW fsync").fetchone() == ("on",)
        assert one.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_a_database_url_opens_on_its_engine(database_url: str):
    if database_url.startswith("sqlite:///"):
        with sqlite3.connect(Path(database_url.removeprefix("sqlite:///"))) as one:
            assert one.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        one.close()
    else:
        with psycopg.connect(database_url) as two:
            assert two.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_no_name_is_looked_up():
    with pytest.raises(RuntimeError, match="another machine"):
        socket.getaddrinfo("mail.example.org", 25)
    with pytest.raises(RuntimeError, match="another machine"):
        smtplib.SMTP("mail.example.org")


def test_no_datagram_leaves():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, pytest.raises(RuntimeError, match="another machine"):
        one.sendto(b"?", ("192.0.2.1", 53))


def test_loopback_is_open(free_port: int):
    with socket.create_server(("127.0.0.1", free_port)) as server, socket.create_connection(("127.0.0.1", free_port)) as caller:
        caller.sendall(b"here")
        heard, _ = server.accept()
        with heard:
            assert heard.recv(4) == b"here"


def test_skips_are_counted_with_their_reasons():
    assert skips.line([]) == "skipped: 0"
    assert skips.line(["Skipped: no browser", "no browser", "no mail"]) == "skipped: 3: no browser (2); no mail (1)"
