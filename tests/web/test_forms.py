"""Forms: what a browser sends arrives as text, what nobody declared does not, and a file passes through piece by piece."""

import asyncio
import html
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.fake_roof import World, client, front
from vault.errors import Malformed
from vault.web import Answer, Body, Call, Form, Public, Route, filling
from vault.web.filling import fill

aio = pytest.mark.asyncio(loop_scope="function")
PLAIN = {"Content-Type": "application/x-www-form-urlencoded"}
PARTS = {"Content-Type": "multipart/form-data; boundary=cut"}


def part(name: str, value: bytes, more: str = "", *headers: str) -> bytes:
    top = "\r\n".join([f'Content-Disposition: form-data; name="{name}"{more}', *headers])
    return b"--cut\r\n" + top.encode() + b"\r\n\r\n" + value + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--cut--\r\n"


def file(value: bytes, name: str = "file") -> bytes:
    return part(name, value, '; filename="x.pdf"', "Content-Type: application/pdf")


async def send(calls: httpx.AsyncClient, content: bytes, headers: dict[str, str], path: str = "/first/form") -> httpx.Response:
    return await calls.post(path, content=content, headers=headers)


@aio
@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"note=%D8%B3%D8%A7%D8%B1%D8%A9+%2B%0D%0Ab&more=", PLAIN),
        ("note=سارة+%2B%0Ab&more=".encode(), {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}),
        (body(part("note", "سارة +\r\nb".encode()), part("more", b"")), PARTS),
        ("note=سارة%1B%2B%0Ab&more=".encode(), PLAIN),
        (body(part("note", "سارة\x01+\r\nb".encode()), part("more", b"")), PARTS),
        (body(part("note", "سارة +\x0bb".encode()), part("more", b"", "", "Content-Type: text/plain; charset=utf-8")), PARTS),
    ],
)
async def test_a_form_arrives_as_text_in_both_encodings(calls: httpx.AsyncClient, content: bytes, headers: dict[str, str]):
    answer = await send(calls, content, headers)
    assert answer.status_code == 200
    assert html.escape(repr({"note": "سارة +\nb", "more": ""}), quote=False) in html.unescape(answer.text)


@aio
async def test_a_form_without_a_body_is_an_empty_form(calls: httpx.AsyncClient):
    assert "{}" in (await send(calls, b"", PLAIN)).text
    assert (await send(calls, b"", PARTS)).status_code == 400


@aio
@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"other=1", PLAIN, 400),
        (b"note=1&note=2", PLAIN, 400),
        (b"note=1&more=2&", PLAIN, 400),
        (b"note=%00", PLAIN, 400),
        (b"note=%ED%A0%80", PLAIN, 400),
        (b"note=%zz", PLAIN, 400),
        (b"note=%ff", PLAIN, 400),
        (b"note=" + b"a" * 201, PLAIN, 413),
        (b"note=" + b"a" * 1001, PLAIN, 413),
        (b"&" * 900, PLAIN, 400),
        (b"{}", {"Content-Type": "application/json"}, 415),
        (b"note=1", {}, 415),
        (b"note=1", PLAIN | {"Content-Encoding": "gzip"}, 415),
        (b"note=1", {"Content-Type": "application/x-www-form-urlencoded; charset=windows-1256"}, 415),
        (b"note=1", {"Content-Type": "multipart/form-data"}, 415),
        (b"note=1", {"Content-Type": "multipart/form-data; boundary=" + "x" * 71}, 415),
        (b"note=1", PARTS, 400),
        (part("note", b"1"), PARTS, 400),
        (body(part("other", b"1")), PARTS, 400),
        (body(part("note", b"1"), part("note", b"2")), PARTS, 400),
        (body(part("note", b"\x00")), PARTS, 400),
        (body(part("note", b"\xff")), PARTS, 400),
        (body(part("note", b"a" * 201)), PARTS, 413),
        (body(part("note", b"a" * 1001)), PARTS, 413),
        (body(file(b"1", "note")), PARTS, 400),
        (body(part("note", b"1", "", "Content-Type: text/plain; charset=windows-1256")), PARTS, 400),
        (body(part("note", b"1", "", *["X-More: 1"] * 4)), PARTS, 413),
        (body(*[part("note", b"")] * 15), PARTS, 400),
        (b"--cut\r\nContent-Disposition: form-data\r\n\r\n1\r\n--cut--\r\n", PARTS, 400),
        (b"--cut\r\nX-More: 1\r\n\r\n1\r\n--cut--\r\n", PARTS, 400),
    ],
)
async def test_what_is_no_such_form_is_refused_on_a_page_without_an_echo(calls, content: bytes, headers: dict[str, str], status: int):
    answer = await send(calls, content.replace(b"note=1", b"note=ECHO482913"), headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "ECHO482913" not in answer.text


@aio
async def test_a_body_that_announces_no_length_is_counted_as_it_comes(calls: httpx.AsyncClient):
    sent: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        yield b"--cut\r\nContent-Disposition: form-data; name=note\r\n\r\n"
        while True:
            sent.append(1)
            yield b"a" * 100

    answer = await calls.post("/first/form", content=endless(), headers=PARTS)
    assert answer.status_code == 413
    assert len(sent) < 20


@aio
async def test_the_headers_of_a_part_are_bounded(calls: httpx.AsyncClient):
    for size, status in ((2000, 200), (2100, 413)):
        answer = await send(calls, body(part("note", b"", "", "X-More: " + "x" * size)), PARTS, "/v1/upload")
        assert answer.status_code == status


@aio
async def test_a_thousand_parts_are_not_taken_apart(calls: httpx.AsyncClient):
    content = body(*[part(f"x{number}", b"1") for number in range(1000)])
    assert (await send(calls, content, PARTS, "/v1/upload")).status_code == 400


@aio
async def test_a_file_reaches_the_controller_while_it_arrives(calls: httpx.AsyncClient, world: World):
    handed: list[int] = []

    async def slowly() -> AsyncIterator[bytes]:
        yield part("note", b"before")
        yield b'--cut\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        for _ in range(20):
            handed.append(world.calls.count("piece"))
            yield b"z" * 10_000
            await asyncio.sleep(0)
        yield b"\r\n" + body(part("more", b"after"))

    answer = await calls.post("/v1/upload", content=slowly(), headers=PARTS)
    told = answer.json()
    assert (told["before"], told["after"]) == ({"note": "before"}, {"note": "before", "more": "after"})
    assert told["size"] == 200_000
    assert handed[-1] >= 17, "the file was held back"


@aio
@pytest.mark.parametrize(
    ("content", "status"),
    [
        (body(file(b"1"), file(b"2")), 400),
        (body(file(b"1"), part("other", b"")), 400),
        (file(b"1"), 400),
        (body(file(b"1" * 500_001)), 413),
        (b"note=1", 400),
    ],
)
async def test_a_file_in_a_body_that_does_not_hold_never_ends_well(calls: httpx.AsyncClient, content: bytes, status: int):
    assert (await send(calls, content, PARTS, "/v1/upload")).status_code == status


@aio
async def test_an_upload_is_multipart_and_the_file_may_be_missing(calls: httpx.AsyncClient):
    assert (await send(calls, b"note=1", PLAIN, "/v1/upload")).status_code == 415
    assert (await send(calls, body(part("note", b"1")), PARTS, "/v1/upload")).json()["size"] == 0


@aio
async def test_every_way_of_cutting_the_bytes_gives_the_same_form(calls: httpx.AsyncClient):
    whole = body(part("note", b"a\r\n--cu"), file(b"\r\n--cu" + b"\r\r\n" * 30), part("more", b"m"))

    async def cut(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(whole), size):
            yield whole[start : start + size]

    answers = {(await calls.post("/v1/upload", content=cut(size), headers=PARTS)).text for size in (1, 2, 3, 7, 64, len(whole))}
    assert len(answers) == 1
    assert '"size":96' in answers.pop()


@aio
async def test_a_form_that_trickles_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch):
    async def keep(call: Call) -> Answer:
        return Answer({})

    slow = Route(method="POST", path="/v1/slow", name="slow", handler=keep, access=Public(), form=Form(fields={"a": 9}, seconds=0.05))
    monkeypatch.setattr("tests.web.fake_roof.routes", lambda _world: [slow])

    async def trickle() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"a"
            await asyncio.sleep(0.02)

    async with client(front(world)) as calls:
        answer = await calls.post("/v1/slow", content=trickle(), headers=PLAIN)
    assert (answer.status_code, answer.headers["connection"]) == (408, "close")


@aio
@pytest.mark.parametrize(("site", "told"), [("cross-site", True), ("same-site", True), ("same-origin", False), ("none", False)])
async def test_a_browser_tells_whose_page_sent_it(calls: httpx.AsyncClient, site: str, told: bool):
    answer = await send(calls, body(part("note", b"1")), PARTS | {"Sec-Fetch-Site": site}, "/v1/upload")
    assert answer.json()["elsewhere"] is told


def test_a_form_that_cannot_hold_is_refused_when_it_is_declared():
    for fields, file_name, keeps in (({"a": 1}, "a", False), ({}, "", False), ({"a": 1}, "b", True)):
        with pytest.raises(ValueError, match="names"):
            Form(fields=fields, file=file_name, keeps=keeps)

    class Given(Body):
        a: int

    async def handler(call: Call) -> Answer:
        return Answer()

    with pytest.raises(ValueError, match="only one"):
        Route(method="POST", path="/x", name="x", handler=handler, access=Public(), body=Given, form=Form(fields={"a": 1}))


KEEPING = Form(fields={"note": 10, "more": 10}, keeps=True)
WHOLE = "سارة".encode()


@pytest.mark.parametrize(
    ("content", "headers", "limit", "fields"),
    [
        (b"note=" + b"a" * 50, PLAIN, 100, {"note": "a" * 50}),
        (b"note=a%00b&more=c\x00", PLAIN, 100, {"note": "a b", "more": "c "}),
        (b"note=1&more=" + WHOLE, PLAIN, 7 + 5 + 3, {"note": "1", "more": "س"}),
        (b"note=%D8%B3%D8%A7", PLAIN, 5 + 8, {"note": "س"}),
        (b"note=%D8%B3%D8%A7", PLAIN, 5 + 11, {"note": "س"}),
        (b"note=1&more=2", PLAIN, 9, {"note": "1"}),
        (body(part("note", b"a" * 50), part("more", b"\x00")), PARTS, 1000, {"note": "a" * 50, "more": " "}),
        (body(part("note", b"1"), part("more", WHOLE * 10)), PARTS, 130, None),
        (b"", PLAIN, 10, {}),
    ],
)
@aio
async def test_a_form_that_keeps_what_comes_keeps_it_as_far_as_it_may_come(content, headers: dict[str, str], limit: int, fields):
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content}

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()] + [(b"content-length", b"%d" % len(content))]
    filled = await fill(KEEPING, raw, receive, limit)
    assert filled.is_cut is (len(content) > limit)
    if fields is None:
        assert filled.fields["note"] == "1"
        assert ("سارة" * 10).startswith(filled.fields["more"])
    else:
        assert filled.fields == fields


@aio
async def test_also_a_form_that_keeps_what_comes_is_given_up_when_it_trickles():
    async def receive() -> dict[str, Any]:
        await asyncio.sleep(1)
        return {}

    slow = Form(fields={"note": 1}, keeps=True, seconds=0.01)
    with pytest.raises(Malformed, match="too-slow"):
        await fill(slow, [(b"content-type", b"application/x-www-form-urlencoded"), (b"content-length", b"9")], receive, 10)


@given(st.binary(max_size=60).map(lambda raw: raw.replace(b"%", b"%25")) | st.text(max_size=60).map(lambda text: quote(text).encode()))
def test_escapes_are_read_as_the_library_reads_them(raw: bytes):
    assert filling._unquoted(raw) == unquote_to_bytes(raw.replace(b"+", b" "))


SEVERAL = Form(fields={"note": 10}, file="file", most=2)
KEPT_FILES = Form(fields={"note": 10, "more": 10}, file="file", most=2, texts=16, keeps=True)


async def uploaded(form: Form, content: bytes, limit: int = 10_000, size: int = 7) -> tuple[list[bytes], dict[str, str], bool]:
    """What came of every file in its turn, the texts, and whether texts were cut; the body comes in pieces of this size."""
    pieces = [content[at : at + size] for at in range(0, len(content), size)]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    headers = [(b"content-type", PARTS["Content-Type"].encode()), (b"content-length", str(len(content)).encode())]
    filled = await fill(form, headers, receive, limit)
    found = [b"".join([piece async for piece in upload]) async for upload in filled.uploads()]
    return found, filled.fields, filled.is_cut


@aio
@pytest.mark.parametrize("size", [1, 7, 64, 5000])
async def test_several_files_come_in_their_turn_with_texts_before_between_and_behind_them(size: int):
    content = body(file(b"one" * 50), part("note", b"x"), file(b""), part("more", b"y"))
    assert await uploaded(KEPT_FILES, content, size=size) == ([b"one" * 50, b""], {"note": "x", "more": "y"}, False)


@aio
async def test_more_files_than_a_form_takes_are_refused_or_given_on_to_whoever_tells_a_person():
    content = body(file(b"1"), file(b"2"), file(b"3"))
    with pytest.raises(Malformed, match="unknown-form-field"):
        await uploaded(SEVERAL, content)
    assert (await uploaded(KEPT_FILES, content))[0] == [b"1", b"2", b"3"]
    with pytest.raises(Malformed, match="too-large"):
        await uploaded(KEPT_FILES, body(*[file(b"x")] * 60), 100_000, 5000)


@aio
async def test_beside_files_texts_are_kept_up_to_their_sum_and_a_file_that_is_not_whole_never_ends():
    content = body(part("note", b"n" * 12), part("more", "سارة".encode()), file(b"whole"))
    assert await uploaded(KEPT_FILES, content) == ([b"whole"], {"note": "n" * 12, "more": "سا"}, True)
    with pytest.raises(Malformed, match="too-large"):
        await uploaded(KEPT_FILES, body(part("note", b"x"), file(b"y" * 900)), 500)
    for cut in (20, 90):  # in the file, and behind it
        with pytest.raises(Malformed, match="malformed"):
            await uploaded(KEPT_FILES, body(file(b"y" * 300), part("note", b"x"))[:-cut])


@aio
async def test_without_files_in_it_a_form_with_files_takes_no_more_than_texts():
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"note=" + b"a" * 100, "more_body": False}

    filled = await fill(KEPT_FILES, [(b"content-type", b"application/x-www-form-urlencoded"), (b"content-length", b"105")], receive, 10_000)
    assert (filled.fields, filled.is_cut) == ({"note": "a" * 11}, True)
    assert [one async for one in filled.uploads()] == []
