"""The head of a request has a size and a time, on a real server on loopback."""

import logging
import resource
import socket
import time
import tracemalloc
from collections.abc import Iterator

import pytest

import vault.web.connection
from tests.web.fake_roof import World, front, served
from vault.web.connection import LARGEST_HEAD, Connection
from vault.web.limits import neighbourhood
from vault.web.receiving import parse_networks

ASK = b"GET /health/live HTTP/1.1\r\nHost: vault\r\n"


class Hasty(Connection):
    head_seconds = 0.4


class Listening(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(front(World()), Hasty) as given:
        yield given


def reach(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def rest(line: socket.socket) -> bytes:
    """Everything until the other side ends it."""
    received = b""
    try:
        while part := line.recv(65536):
            received += part
    except ConnectionResetError:
        pass
    return received


def answer(line: socket.socket) -> bytes:
    """The head and the few bytes of one answer."""
    received = b""
    while not received.endswith(b"}"):
        part = line.recv(65536)
        assert part, received
        received += part
    return received


def trickle(line: socket.socket, piece: bytes) -> None:
    """Send a little again and again, until the other side has closed or five seconds are over."""
    try:
        for _ in range(100):
            line.sendall(piece)
            time.sleep(0.05)
    except OSError:
        return


@pytest.mark.parametrize("piece", [b"a" * 8192, b"a: b\r\n" * 1365], ids=["one header", "many headers"])
def test_a_head_without_end_is_refused_in_bounded_memory(port: int, piece: bytes) -> None:
    sent = 0
    tracemalloc.start()
    try:
        with reach(port) as line:
            line.sendall(ASK + b"X-Long: ")
            try:
                for _ in range(5000):
                    line.sendall(piece)
                    sent += len(piece)
            except OSError:
                pass
            told = rest(line)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert told.partition(b"\r\n")[0] in (b"", b"HTTP/1.1 431 Request Header Fields Too Large")  # the reset may overtake the answer
    assert sent < 40_000_000
    assert most < 8_000_000


@pytest.mark.parametrize("size", [LARGEST_HEAD + 1, 150_000])
def test_a_whole_head_that_is_too_large_is_431(port: int, size: int) -> None:
    with reach(port) as line:
        line.sendall(ASK + b"X-Long: " + b"a" * size + b"\r\n\r\n")
        assert rest(line).startswith(b"HTTP/1.1 431 ")


def test_a_head_that_grows_slowly_beyond_the_limit_is_431(port: int) -> None:
    with reach(port) as line:
        line.sendall(ASK + b"X-Long: ")
        for _ in range(5):
            time.sleep(0.03)
            line.sendall(b"a" * 8000)
        assert rest(line).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("start", [b"", b"\r\n", b"G", ASK], ids=["nothing", "an empty line", "a letter", "half a head"])
def test_a_connection_without_a_whole_head_is_closed(port: int, start: bytes) -> None:
    began = time.monotonic()
    with reach(port) as line:
        line.sendall(start)
        assert rest(line) == b""
    assert time.monotonic() - began < 5


def test_a_trickle_does_not_keep_a_head_open(port: int) -> None:
    began = time.monotonic()
    with reach(port) as line:
        line.sendall(ASK)
        trickle(line, b"X: y\r\n")
    assert time.monotonic() - began < 5


def test_a_second_head_on_a_kept_connection_has_no_more_time(port: int) -> None:
    with reach(port) as line:
        line.sendall(ASK + b"\r\n")
        assert b"200 OK" in answer(line)
        began = time.monotonic()
        line.sendall(b"\r\n")  # ends the server's own wait for the next request
        assert rest(line) == b""
    assert time.monotonic() - began < 4


def test_the_rest_of_an_answered_body_does_not_keep_a_connection(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault.web.connection, "REST_SECONDS", 0.4)
    with reach(port) as line:
        line.sendall(b"GET /health/live HTTP/1.1\r\nHost: vault\r\nContent-Length: 100000\r\n\r\n")
        assert b"200 OK" in answer(line)
        began = time.monotonic()
        trickle(line, b"x")
    assert time.monotonic() - began < 5


def test_keep_alive_a_hundred_headers_and_a_head_in_pieces_work(port: int) -> None:
    with reach(port) as line:
        for _ in range(3):
            line.sendall(ASK + b"".join(b"X-%d: %s\r\n" % (each, b"a" * 200) for each in range(99)) + b"\r\n")
            assert b"200 OK" in answer(line)
        for piece in (ASK[:9], ASK[9:], b"\r", b"\n"):
            line.sendall(piece)
            time.sleep(0.02)
        assert b"200 OK" in answer(line)


def test_a_network_holds_no_more_than_its_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault.web.connection, "_counted_as", lambda host, _trusted: neighbourhood(host))
    monkeypatch.setattr(Connection, "most_connections", 3)
    with served(front(World())) as port:
        held = [reach(port) for _ in range(3)]
        for line in held:
            line.sendall(ASK + b"\r\n")
            assert b"200 OK" in answer(line)
        with reach(port) as line:
            assert rest(line) == b""
        for line in held:
            line.close()
        time.sleep(0.1)
        with reach(port) as line:
            line.sendall(ASK + b"\r\n")
            assert b"200 OK" in answer(line)


def test_loopback_and_trusted_proxies_are_not_counted() -> None:
    trusted = parse_networks(("10.0.0.0/8",))
    assert [vault.web.connection._counted_as(host, trusted) for host in ("127.0.0.9", "::1", "10.1.2.3", "")] == [""] * 4
    assert vault.web.connection._counted_as("192.0.2.7", trusted) == "192.0.2.0/24"


def test_connections_of_all_networks_leave_descriptors_for_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault.web.connection, "_counted_as", lambda host, _trusted: neighbourhood(host))
    monkeypatch.setattr(vault.web.connection, "most_in_all", lambda *, is_stranger: 2 if is_stranger else 3)
    with served(front(World())) as port:
        held = [reach(port) for _ in range(2)]
        for line in held:
            line.sendall(ASK + b"\r\n")
            assert b"200 OK" in answer(line)
        with reach(port) as line:
            assert rest(line) == b"", "closed at once"
        monkeypatch.setattr(vault.web.connection, "_counted_as", lambda _host, _trusted: "")
        with reach(port) as line:
            line.sendall(ASK + b"\r\n")
            assert b"200 OK" in answer(line), "a proxy's finds room that strangers' do not"
        for line in held:
            line.close()


def test_how_many_connections_there_may_be_follows_from_the_limit_of_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def most(soft: int) -> tuple[int, int]:
        monkeypatch.setattr(resource, "getrlimit", lambda _which: (soft, resource.RLIM_INFINITY))
        return vault.web.connection.most_in_all(is_stranger=True), vault.web.connection.most_in_all(is_stranger=False)

    assert most(1024) == (768, 896)
    assert most(128) == (64, 96)
    assert most(10**6) == most(resource.RLIM_INFINITY) == (16_384, 16_384)


def test_what_is_no_http_is_counted_and_nothing_is_written_of_it(capfd: pytest.CaptureFixture[str]) -> None:
    world, listening = World(), Listening()
    logging.getLogger().addHandler(listening)
    try:
        with served(front(world)) as port:
            with reach(port) as line:
                line.sendall(b"GARBAGE\x00\xff\r\n\r\n")
                assert b"400 Bad Request" in rest(line)
            with reach(port) as line:
                line.sendall(ASK + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
                assert b"200 OK" in answer(line)
            with reach(port) as line:
                line.sendall(ASK + b"X: " + b"a" * LARGEST_HEAD + b"\r\n\r\n")
                assert b"431 " in rest(line)
    finally:
        logging.getLogger().removeHandler(listening)
    told = [
        record.getMessage()
        for record in listening.heard
        if record.name.startswith(("uvicorn", "vault")) and record.levelno >= logging.WARNING
    ]
    assert (told, capfd.readouterr().err) == ([], "")
    assert world.registry.get_sample_value("amanah_http_unreadable_total") == 2
