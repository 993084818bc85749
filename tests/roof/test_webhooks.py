"""Messages leave over TLS to the address that was judged, and to nothing else, however the other side behaves."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.roof.receivers import Authority, authority, drips, floods, hangs_up, receiving, says, silent
from vault.web.webhook_address import parse_webhook
from vault.webhooks import Undelivered, Wire, is_public, look_up, trust

pytestmark = pytest.mark.asyncio(loop_scope="function")
OK = says("HTTP/1.1 204 No Content")


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return authority(tmp_path)


@pytest.fixture
def wires() -> Iterator[Any]:
    made: list[Wire] = []

    def wire(file: Path | None = None, **how: Any) -> Wire:
        made.append(Wire(trust(None if file is None else str(file)), **{"private_targets": True, "patience": 5.0, **how}))
        return made[-1]

    yield wire
    for one in made:
        one.close()


async def code_of(wire: Wire, address: str) -> str:
    with pytest.raises(Undelivered) as refused:
        await wire.send(address, "a message\n")
    return refused.value.code


async def test_a_message_arrives_whole_and_says_nothing_else(ours: Authority, wires: Any):
    async with receiving(OK, ours.context) as receiver:
        await wires(ours.file).send(f"https://localhost:{receiver.port}/hooks/in?tenant=7", "رسالة\n")
    assert receiver.bodies == ["رسالة\n"]
    (head,) = receiver.heads
    assert head.startswith("POST /hooks/in?tenant=7 HTTP/1.1\r\n")
    assert {line.partition(":")[0] for line in head.split("\r\n")[1:] if line} == {
        *("Host", "Content-Type", "Content-Length", "User-Agent", "Connection")
    }


async def test_an_address_without_a_path_is_sent_to_its_root(ours: Authority, wires: Any):
    async with receiving(OK, ours.context) as receiver:
        await wires(ours.file).send(f"https://localhost:{receiver.port}", "m\n")
    assert receiver.heads[0].startswith("POST / HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("manner", "code"),
    [
        (says("HTTP/1.1 302 Found", "Location: https://elsewhere.example/"), "webhook-status"),
        (says("HTTP/1.1 307 Temporary Redirect", "Location: /again"), "webhook-status"),
        (says("HTTP/1.1 500 Oops"), "webhook-status"),
        (says("HTTP/1.1 100 Continue"), "webhook-status"),
        (says("HTTP/1.1 2xx Fine"), "webhook-answer"),
        (says("ICY 200 OK"), "webhook-answer"),
        (hangs_up, "webhook-answer"),
        (floods, "webhook-answer"),
    ],
)
async def test_everything_but_one_of_the_two_hundreds_is_not_taken(ours: Authority, wires: Any, manner: Any, code: str):
    async with receiving(manner, ours.context) as receiver:
        assert await code_of(wires(ours.file), f"https://localhost:{receiver.port}/") == code
        await asyncio.sleep(0.05)
    assert receiver.calls == 1, "no redirection is followed and nothing is tried twice"


@pytest.mark.parametrize("manner", [silent, drips])
async def test_who_is_slow_is_waited_for_no_longer_than_the_patience(ours: Authority, wires: Any, manner: Any):
    async with receiving(manner, ours.context) as receiver:
        begun = time.monotonic()
        assert await code_of(wires(ours.file, patience=0.8), f"https://localhost:{receiver.port}/") == "webhook-slow"
        assert time.monotonic() - begun < 4


async def test_who_shows_no_certificate_that_is_believed_hears_nothing(ours: Authority, wires: Any, tmp_path: Path):
    other = authority(tmp_path / "other", "somebody.example")
    async with receiving(OK, ours.context) as receiver, receiving(OK, other.context) as stranger, receiving(OK, None) as plain:
        assert await code_of(wires(), f"https://localhost:{receiver.port}/") == "webhook-unreachable"
        assert await code_of(wires(other.file), f"https://localhost:{stranger.port}/") == "webhook-unreachable"
        assert await code_of(wires(ours.file, patience=1.0), f"https://localhost:{plain.port}/") in {"webhook-unreachable", "webhook-slow"}
        assert (receiver.bodies, stranger.bodies, plain.bodies) == ([], [], [])
        gone = receiver.port
    assert await code_of(wires(ours.file), f"https://localhost:{gone}/") == "webhook-unreachable"


async def test_inside_the_house_nothing_is_sent_unless_somebody_said_so(ours: Authority, wires: Any):
    async with receiving(OK, ours.context) as receiver:
        shut = wires(ours.file, private_targets=False)
        assert await code_of(shut, f"https://localhost:{receiver.port}/") == "webhook-target"
        assert await code_of(shut, f"https://127.0.0.1:{receiver.port}/") == "webhook-target"
        assert receiver.calls == 0


async def test_a_name_with_one_address_inside_is_refused_whole(wires: Any):
    mixed = wires(private_targets=False, resolve=lambda _host, _port: ["93.184.215.14", "10.0.0.7"])
    assert await code_of(mixed, "https://partner.example/") == "webhook-target"
    none = wires(resolve=lambda _host, _port: [])
    assert await code_of(none, "https://partner.example/") == "webhook-target"


async def test_the_address_that_was_judged_is_the_one_connected_to(ours: Authority, wires: Any):
    """A name that points elsewhere a moment later gains nothing: it is looked up once."""
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.7"]

    async with receiving(OK, ours.context) as receiver:
        # The host is one nobody could look up: so only what was judged can have been connected to.
        assert await code_of(wires(ours.file, resolve=rebinding), f"https://partner.invalid:{receiver.port}/") == "webhook-unreachable"
        assert (asked, receiver.calls) == (["partner.invalid"], 0)
        asked.clear()
        await wires(ours.file, resolve=rebinding).send(f"https://localhost:{receiver.port}/", "m\n")
        assert (asked, receiver.calls) == (["localhost"], 1)


async def test_a_host_nobody_knows_and_a_resolver_that_hangs_end_like_everything_else(wires: Any):
    def unknown(_host: str, _port: int) -> list[str]:
        raise OSError

    assert await code_of(wires(resolve=unknown), "https://partner.example/") == "webhook-unknown-host"
    hanging = wires(resolve=lambda _host, _port: time.sleep(1.5), patience=0.2)
    assert await code_of(hanging, "https://partner.example/") == "webhook-slow"


@pytest.mark.parametrize(
    "address",
    [
        "http://partner.example/",
        "https:///path",
        "https://user:word@partner.example/",
        "https://partner.example/#part",
        "https://partner.example:0/",
        "https://partner.example:port/",
        "https://partner.example/a b",
        "https://partner.example/\r\nHost: other",
        "https://جهة.example/",
        "ftp://partner.example/",
        "https://[::1",
        "",
    ],
)
async def test_what_is_no_address_of_a_webhook_is_refused_before_it_is_looked_up(wires: Any, address: str):
    assert parse_webhook(address) is None
    assert await code_of(wires(), address) == "webhook-target"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("10.0.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - an address that is judged, and nothing listens on it
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.215.14", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d70e", True),
        ("2002:7f00:1::", False),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", False),
    ],
)
async def test_which_addresses_are_public(address: str, public: bool):
    assert is_public(address) is public


async def test_the_systems_own_resolver_is_asked():
    assert "127.0.0.1" in look_up("127.0.0.1", 443)
