"""A letter on its way: what the server, its address or our own words make of it, and that no state says more than is known."""

from contextlib import suppress
from dataclasses import replace

import msgspec
import pytest

from tests.breach_reports.desk import Desk
from tests.breach_reports.incident_desk import done, opened
from tests.breach_reports.notices import NAMES, Box, approved, letter, notifier, person, serving, states
from vault.breach_reports import letters
from vault.breach_reports.letters import LEASE, MOST_ATTEMPTS
from vault.errors import Unavailable

pytestmark = pytest.mark.asyncio(loop_scope="function")


def busy(*_given: object, **_more: object) -> None:
    raise Unavailable("busy")


def broken(*_given: object, **_more: object) -> None:
    raise Unavailable("integrity")


async def test_a_server_that_offers_no_tls_just_now_refused_nobody(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    first, second = [await person(world, number) for number in (1, 2)]
    number = await approved(desk, id_, first, second)
    sender = notifier(world, free_port)
    stripped = replace(sender, mail=msgspec.structs.replace(sender.mail, security="starttls"))
    with serving(box, free_port):
        assert await stripped.round() == 0
        assert await states(desk, id_, number) == {first: "listed", second: "listed"}
        world.clock.now += letters.pause(1)
        await sender.round()
    assert await states(desk, id_, number) == {first: "sent", second: "sent"}


async def test_an_address_the_server_has_no_way_to_has_failed_and_keeps_no_other_back(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    first, second = await person(world, 1, email="هدى@example.org"), await person(world, 2)
    number = await approved(desk, id_, first, second)
    with serving(box, free_port, enable_SMTPUTF8=False):
        assert await notifier(world, free_port).round() == 2
    assert await states(desk, id_, number) == {first: "failed", second: "sent"}
    assert (await letter(desk, id_, number, first))["reason"] == "UNCARRIED"
    with serving(box, free_port, enable_SMTPUTF8=True):
        assert (await done(desk, f"/{id_}/people-notices/{number}/again", {}))["letters"] == 1
        await notifier(world, free_port).round()
    assert box.to == ["someone2@example.org", "هدى@example.org"]


@pytest.mark.parametrize("address", ["=?utf-8?q?victim?=@example.org", "=?utf-8?b?dmljdGlt?=@example.org"])
async def test_an_address_no_header_holds_as_it_is_stored_goes_to_nobody_by_mail(desk: Desk, free_port: int, address: str):
    """A header says `victim@example.org` of it: another person's mailbox, and a letter that names it as whom it is for."""
    world, id_, box = desk.world, await opened(desk), Box()
    first, second = await person(world, 1, email=address), await person(world, 2)
    number = await approved(desk, id_, first, second)
    with serving(box, free_port):
        await notifier(world, free_port).round()
    assert (box.asked, box.to) == (["someone2@example.org"], ["someone2@example.org"])
    told = await letter(desk, id_, number, first)
    assert (told["state"], told["reason"]) == ("post", "NO_EMAIL")


@pytest.mark.parametrize("name", ["جمعية البر\nالمثالية", "جمعية \ud800 البر"])
async def test_what_cannot_be_written_never_left_and_goes_once_it_can(desk: Desk, free_port: int, name: str):
    world, id_, box = desk.world, await opened(desk), Box()
    records = [await person(world, number) for number in (1, 2)]
    number = await approved(desk, id_, *records)
    sender = replace(notifier(world, free_port), names={"ar": name, "en": "Example"})
    with serving(box, free_port):
        for _ in range(2):
            with pytest.raises(ValueError):
                await sender.round()
        world.clock.now += 2 * LEASE
        assert await states(desk, id_, number) == dict.fromkeys(records, "listed")
        for _ in range(2 * MOST_ATTEMPTS):
            world.clock.now += letters.pause(10)
            with suppress(ValueError):
                await sender.round()
        assert {
            ((await letter(desk, id_, number, each))["state"], (await letter(desk, id_, number, each))["reason"]) for each in records
        } == {("failed", "UNWRITTEN")}
        assert (await done(desk, f"/{id_}/people-notices/{number}/again", {}))["letters"] == 2
        await notifier(world, free_port).round()
    assert await states(desk, id_, number) == dict.fromkeys(records, "sent")
    assert len(box.to) == 2


@pytest.mark.parametrize("written", [True, False])
async def test_what_became_of_a_letter_and_could_not_be_noted_is_noted_before_the_next(
    desk: Desk, free_port: int, monkeypatch: pytest.MonkeyPatch, *, written: bool
):
    world, id_, box = desk.world, await opened(desk), Box()
    records = [await person(world, number) for number in (1, 2)]
    number = await approved(desk, id_, *records)
    sender = notifier(world, free_port)
    sender.names = NAMES if written else {"ar": "\n"}
    with serving(box, free_port):
        with monkeypatch.context() as patched:
            patched.setattr(letters, "settle", busy)
            for _ in range(2):
                with pytest.raises(Unavailable, match="busy"):
                    await sender.round()
            assert sorted((await states(desk, id_, number)).values()) == ["listed", "sending"]
        sender.names = NAMES
        world.clock.now += 2 * LEASE
        await sender.round()
        world.clock.now += letters.pause(1)
        await sender.round()
    assert await states(desk, id_, number) == dict.fromkeys(records, "sent")
    assert len(box.to) == 2


async def test_what_became_of_a_letter_that_no_longer_holds_is_owed_to_nobody(desk: Desk, free_port: int, monkeypatch: pytest.MonkeyPatch):
    world, id_, box = desk.world, await opened(desk), Box()
    records = [await person(world, number) for number in (1, 2)]
    await approved(desk, id_, *records)
    sender = notifier(world, free_port)
    with serving(box, free_port):
        with monkeypatch.context() as patched:
            patched.setattr(letters, "settle", broken)
            with pytest.raises(Unavailable, match="integrity"):
                await sender.round()
        assert await sender.round() == 1
    assert len(box.to) == 2
