"""Who counts as two: never a person and what she made, however many accounts lie between."""

import msgspec
import pytest

from tests.identity.test_entrance import add_client, change
from tests.simulator import World
from vault.rulebook.book import Book
from vault.rulebook.shapes import CLIENT, STAFF
from vault.rulebook.two_people import same_person

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def book_of(world: World, made_by: dict[str, str]) -> Book:
    """The rulebook with these makers of accounts, by reference."""
    book = await world.association.refresh()
    for ref, maker in made_by.items():
        key = ref.removeprefix("staff:")
        await change(world, STAFF, key, msgspec.structs.replace(book.staff[key], made_by=maker))
    return await world.association.refresh()


async def people(world: World) -> list[str]:
    return [f"staff:{key}" for key in (await world.association.refresh()).staff]


async def test_a_chain_of_accounts_counts_as_one_with_her_who_began_it(vault: World):
    one, two, three = await people(vault)
    book = await book_of(vault, {two: one, three: two})
    for left, right in ((one, two), (two, three), (one, three)):
        assert same_person(book, left, right)
        assert same_person(book, right, left)


async def test_two_accounts_of_one_maker_are_two(small: World):
    one, two, three = await people(small)
    book = await book_of(small, {two: one, three: one})
    assert same_person(book, one, two)
    assert same_person(book, one, three)
    assert not same_person(book, two, three)


async def test_makers_in_a_ring_come_to_an_end(small: World):
    one, two, three = await people(small)
    book = await book_of(small, {one: two, two: one})
    assert same_person(book, one, two)
    assert not same_person(book, one, three)


async def test_a_person_is_not_another_than_the_client_she_made(vault: World):
    one, two, three = await people(vault)
    await add_client(vault, id="ab" * 16, made_by=two)
    book = await book_of(vault, {two: one})
    for maker in (one, two):
        assert same_person(book, maker, f"client:{'ab' * 16}")
        assert same_person(book, f"client:{'ab' * 16}", maker)
    assert not same_person(book, three, f"client:{'ab' * 16}")


async def test_every_key_a_client_ever_had_counts(small: World):
    one, two, three = await people(small)
    _, first = await add_client(small, id="ab" * 16, made_by=one)
    old = (await small.association.refresh()).clients[first]
    await change(small, CLIENT, first, msgspec.structs.replace(old, revoked_at=small.clock.now))
    await add_client(small, id="ab" * 16, made_by=two)
    book = await small.association.refresh()
    assert [same_person(book, person, f"client:{'ab' * 16}") for person in (one, two, three)] == [True, True, False]


async def test_the_ceremony_makes_nobody_one(small: World):
    one, two, _ = await people(small)
    book = await small.association.refresh()
    (client,) = {f"client:{each.id}" for each in book.clients.values()}
    assert not same_person(book, one, two)
    assert not same_person(book, one, client)
    assert not same_person(book, client, "client:00")
    assert not same_person(book, "staff:00", one)


async def test_who_made_an_account_is_one_with_it_by_whichever_account_of_hers_she_comes(vault: World):
    one, two, three = await people(vault)
    book = await book_of(vault, {three: one})
    for ref in (one, two):
        key = ref.removeprefix("staff:")
        await change(vault, STAFF, key, msgspec.structs.replace(book.staff[key], record="ab" * 16))
    book = await vault.association.refresh()
    for left, right in ((one, three), (two, three)):
        assert same_person(book, left, right)
        assert same_person(book, right, left)
    await add_client(vault, id="cd" * 16, made_by=one)
    book = await vault.association.refresh()
    for each in (one, two):
        assert same_person(book, each, f"client:{'cd' * 16}")


async def test_a_chain_goes_on_through_the_other_account_of_whoever_stands_in_it(small: World):
    one, two, three = await people(small)
    other = "ef" * 16
    book = await book_of(small, {two: one})
    await change(
        small, STAFF, other, msgspec.structs.replace(book.staff[two.removeprefix("staff:")], id=other, made_by="", record="ab" * 16)
    )
    await change(small, STAFF, two[6:], msgspec.structs.replace(book.staff[two[6:]], record="ab" * 16))
    book = await book_of(small, {three: f"staff:{other}"})
    assert same_person(book, one, three), "she made one account of a person who made the third through her other one"
    assert not same_person(book, one, f"staff:{'00' * 16}")
