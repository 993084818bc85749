"""A crowd of strangers that signs in from many networks makes nobody wait who works here."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from keys import passwords
from tests.simulator import NETWORK, World
from vault.errors import Unauthenticated, Unavailable
from vault.identity import hashing
from vault.identity.hashing import MOST_OF_ONE, MOST_WAITING, REMEMBERED, Regulars

pytestmark = pytest.mark.asyncio(loop_scope="function")
ELSEWHERE = "198.51.100.0/24"


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Whoever shows a name nobody has is hashed until this is set."""
    release = threading.Event()
    monkeypatch.setattr(passwords, "burn", lambda _password: release.wait(10))
    yield release
    release.set()


def knock(world: World, number: int, network: str) -> asyncio.Task[object]:
    return asyncio.ensure_future(world.identity.sessions.sign_in(f"n{number}@probe", "x", "0", network=network))


async def crowd(world: World) -> list[asyncio.Task[object]]:
    """So many strangers, each from a network of its own, that no more of them may wait."""
    tries = [knock(world, number, f"203.0.{number}.0/24") for number in range(MOST_WAITING + 1)]
    done, _ = await asyncio.wait(tries, return_when=asyncio.FIRST_COMPLETED)
    assert [str(each.exception()) for each in done] == ["busy"]
    return tries


async def sign_in(world: World, who: str, network: str) -> str:
    account = world.ceremony.staff[who]
    opened = await world.identity.sessions.sign_in(account.username, account.password, world.one_time_code(who), network=network)
    return opened.token


async def test_who_signed_in_lately_signs_in_while_strangers_fill_their_lane(vault: World, held: threading.Event):
    await sign_in(vault, "officer", NETWORK)
    tries = await crowd(vault)
    assert await asyncio.wait_for(sign_in(vault, "officer", NETWORK), 5), "the same network"
    assert await asyncio.wait_for(sign_in(vault, "admin", NETWORK), 5), "a colleague in it"
    with pytest.raises(Unavailable, match="busy"):
        await sign_in(vault, "officer", ELSEWHERE)
    held.set()
    await asyncio.gather(*tries, return_exceptions=True)
    assert await sign_in(vault, "officer", ELSEWHERE), "and strangers once there is room"


async def test_a_running_session_makes_its_network_known_again_after_a_restart(small: World, held: threading.Event):
    token = await sign_in(small, "officer", ELSEWHERE)
    small.identity.sessions._regulars._seen.clear()
    assert await small.knock(token)
    call = small.call()
    tries = await crowd(small)
    assert await asyncio.wait_for(sign_in(small, "officer", call.neighbourhood), 5)
    held.set()
    await asyncio.gather(*tries, return_exceptions=True)


async def test_no_network_fills_a_lane_alone(small: World, held: threading.Event):
    tries = [knock(small, number, ELSEWHERE) for number in range(MOST_OF_ONE + 1)]
    done, _ = await asyncio.wait(tries, return_when=asyncio.FIRST_COMPLETED)
    assert [type(each.exception()) for each in done] == [Unavailable]
    other = knock(small, 99, "192.0.2.0/24")
    held.set()
    with pytest.raises(Unauthenticated):
        await other
    await asyncio.gather(*tries, return_exceptions=True)
    assert not small.identity.sessions._hashers._strangers._waiting, "nothing is kept of networks that wait no more"


async def test_what_is_known_of_networks_has_an_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hashing, "MOST_REGULARS", 2)
    now = [1_000]
    regulars = Regulars(lambda: now[0])
    for network in ("a", "b", "a", "c"):
        regulars.saw(network)
    assert [regulars.knows(network) for network in "abc"] == [True, False, True]
    now[0] += REMEMBERED
    assert not regulars.knows("a")
