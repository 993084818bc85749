"""An answer that leaves piece by piece is whole or visibly cut, is made for nobody who has gone, and parts of it are asked for by bytes."""

import asyncio
import http.client
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.web.fake_roof import World, front, served
from vault.errors import Malformed, RangeNotSatisfiable
from vault.web import streaming
from vault.web.answer import OCTETS, Answer, Stream
from vault.web.call import Call, Headers
from vault.web.problems import problem_headers, problem_of
from vault.web.ranges import Part, Wish, wished
from vault.web.receiving import Message
from vault.web.route import Public, Route
from vault.web.sending import Outcome
from vault.web.streaming import CutShort

on_a_loop = pytest.mark.asyncio(loop_scope="function")
TAG = '"0123"'
GET: dict[str, Any] = {"method": "GET"}


class Film:
    """Pieces that know how many were asked for and whether they were closed."""

    def __init__(self, *pieces: bytes | Exception, each: Callable[[], None] = lambda: None) -> None:
        self._pieces, self._each = list(pieces), each
        self.given, self.closed = 0, False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self._each()
        await asyncio.sleep(0)
        if not self._pieces:
            raise StopAsyncIteration
        self.given += 1
        piece = self._pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def aclose(self) -> None:
        self.closed = True


class Line:
    """One connection: what was sent, and when the client hangs up."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.gone = asyncio.Event()
        self.slow = 0.0
        self._asked = False

    async def receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await asyncio.sleep(self.slow if message["type"] == "http.response.body" else 0)
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(one.get("body", b"") for one in self.sent)

    @property
    def ended(self) -> bool:
        return bool(self.sent) and self.sent[-1].get("more_body") is False


async def leave(film: Film, length: int, line: Line) -> None:
    await Outcome(200, Stream(length, film), OCTETS, [])(GET, line.receive, line.send)


@on_a_loop
async def test_a_stream_leaves_whole_with_its_length_and_is_closed():
    film, line = Film(b"ab", b"cd", b"e"), Line()
    await leave(film, 5, line)
    assert (line.body, line.ended, film.closed) == (b"abcde", True, True)
    assert (b"content-length", b"5") in line.sent[0]["headers"]
    assert [one["more_body"] for one in line.sent[1:]] == [True, True, False]


@on_a_loop
async def test_nothing_more_is_made_for_who_hung_up():
    line = Line()
    film = Film(*[b"x"] * 100, each=line.gone.set)
    await leave(film, 100, line)
    assert film.given < 5
    assert (film.closed, line.ended) == (True, False)


@on_a_loop
@pytest.mark.parametrize("film", [Film(b"ab", CutShort(), b"cd"), Film(b"ab")])
async def test_what_ends_before_its_length_never_ends_its_answer(film: Film):
    line = Line()
    await leave(film, 4, line)
    assert (line.body, line.ended, film.closed) == (b"ab", False, True)


@on_a_loop
@pytest.mark.parametrize("limit", ["STALL_SECONDS", "MOST_SECONDS"])
async def test_who_takes_nothing_or_takes_too_long_is_hung_up_on(monkeypatch: pytest.MonkeyPatch, limit: str):
    monkeypatch.setattr(streaming, limit, 0.05)
    film, line = Film(*[b"x"] * 1000), Line()
    line.slow = 0.2 if limit == "STALL_SECONDS" else 0.01
    await leave(film, 1000, line)
    assert (film.closed, line.ended) == (True, False)
    assert film.given < 20


@on_a_loop
async def test_a_stream_that_never_began_is_closed():
    film = Film(b"ab")

    async def broken(_message: Message) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await Outcome(200, Stream(2, film), OCTETS, [])(GET, Line().receive, broken)
    assert film.closed


def test_over_the_network_a_cut_answer_is_short_and_its_connection_ended():
    films = {"whole": Film(b"a" * 70_000, b"b" * 70_000), "cut": Film(b"a" * 70_000, CutShort()), "broken": Film(b"a" * 9, KeyError())}

    async def film(call: Call) -> Answer:
        return Answer(Stream(140_000, films[call.path["film"]]))

    world = World()
    route = Route(method="GET", path="/v1/films/{film}", name="film", handler=film, access=Public(), media_type=OCTETS)
    with served(front(world, extra=[route])) as port:
        for name, size in (("whole", None), ("cut", 70_000), ("broken", 9)):
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            line.request("GET", f"/v1/films/{name}")
            answer = line.getresponse()
            assert (answer.status, answer.headers["Content-Length"], answer.headers["Content-Type"]) == (200, "140000", OCTETS)
            if size is None:
                assert answer.read() == b"a" * 70_000 + b"b" * 70_000
            else:
                with pytest.raises(http.client.IncompleteRead) as short:
                    answer.read()
                assert len(short.value.partial) == size
            line.close()
    assert [one["event"] for one in world.lines] == ["answer", "answer", "failure"]


def call_of(*headers: tuple[bytes, bytes]) -> Call:
    given: Headers = headers
    return Call(Route(method="GET", path="/x", name="x", handler=None, access=Public()), "r", 0, given)  # type: ignore[arg-type]


def part(text: bytes, size: int = 100, *more: tuple[bytes, bytes]) -> Part:
    return wished(call_of((b"range", text), *more), TAG).of(size)


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        (b"bytes=0-0", 0, 1),
        (b"bytes=10-19", 10, 20),
        (b"bytes=10-", 10, 100),
        (b"bytes=99-", 99, 100),
        (b"bytes=0-999999999999999999", 0, 100),
        (b"bytes=-1", 99, 100),
        (b"bytes=-100", 0, 100),
        (b"bytes=-5000", 0, 100),
        (b"BYTES=1-2", 1, 3),
        (b"bytes = 1-2", 1, 3),
        (b"bytes=,1-2,", 1, 3),
    ],
)
def test_a_part_is_the_bytes_asked_for(text: bytes, first: int, end: int):
    found = part(text)
    assert (found.first, found.end, found.length, found.asked) == (first, end, end - first, True)
    assert found.headers(TAG) == {"Accept-Ranges": "bytes", "ETag": TAG, "Content-Range": f"bytes {first}-{end - 1}/100"}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"bytes",
        b"bytes=",
        b"bytes=-",
        b"bytes=a-b",
        b"bytes=5-4",
        b"bytes=0-1,3-4",
        b"lines=0-1",
        b"bytes=1-2x",
        b"bytes=+1-2",
        b"bytes=\xd9\xa1-",
    ],
)
def test_what_is_not_understood_gives_the_whole(text: bytes):
    found = part(text)
    assert (found.first, found.end, found.asked) == (0, 100, False)
    assert found.headers(TAG) == {"Accept-Ranges": "bytes", "ETag": TAG}


@pytest.mark.parametrize("text", [b"bytes=100-", b"bytes=100-200", b"bytes=-0", b"bytes=999999999999999999-"])
def test_a_part_beyond_the_end_is_refused_with_the_size(text: bytes):
    with pytest.raises(RangeNotSatisfiable) as refused:
        part(text)
    assert problem_headers(refused.value) == {"Accept-Ranges": "bytes", "Content-Range": "bytes */100"}
    told = problem_of(refused.value, "r", "en")
    assert (told.status, told.code) == (416, "range-not-satisfiable")


def test_if_range_of_another_file_gives_the_whole():
    assert part(b"bytes=1-2", 100, (b"if-range", TAG.encode())).asked
    for other in (b'"4567"', b'W/"0123"', b"0123", b"", b"Thu, 26 Nov 2026 05:00:00 GMT"):
        assert not part(b"bytes=1-2", 100, (b"if-range", other)).asked
    assert Wish().of(100) == Part(0, 100, 100, asked=False)


def test_two_of_one_header_are_refused():
    for name in (b"range", b"if-range"):
        with pytest.raises(Malformed):
            wished(call_of((name, b"bytes=0-1"), (name, b"bytes=0-2")), TAG)
