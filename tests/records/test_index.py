"""How long a token is, and that a lookup stays short however large an association grows."""

import os
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from keys.blind_index import LowCardinality, plan
from tests.household import FATIMA, errand, findings, lay_down, store
from tests.simulator import World
from vault.records import index, service, tables
from vault.records.index import GENERATIONS, LENGTHS, LOOSE, STEP, Entry, bits_for, digest
from vault.records.service import Kept
from vault.rulebook.shapes import RECORD_TYPE

LARGEST = 16 * STEP ** (GENERATIONS - 2)


@pytest.mark.parametrize("population", [16, 17, 63, 64, 100, 1_000, 20_000, 500_000, 3_000_000])
def test_a_token_is_never_longer_than_the_planner_allows_and_few_share_it(population: int):
    bits = bits_for(population)
    assert bits <= plan(population, population)
    # A generation holds at most three times what it began with, and a lookup meets the rows of one token in each.
    begun = max(16 * STEP**step for step in range(GENERATIONS) if 16 * STEP**step <= population)
    assert 3 * begun / 2**bits <= 12


def test_below_sixteen_there_is_no_index_and_everybody_is_a_candidate():
    assert [bits_for(population) for population in (0, 1, 15)] == [0, 0, 0]
    with pytest.raises(LowCardinality):
        plan(15, 15)


def test_a_lookup_asks_for_every_length_a_token_can_have():
    assert tuple(sorted(set(LENGTHS))) == LENGTHS
    assert {bits_for(population) for population in (0, 16, 64, 5_000, 10**6, LARGEST, LARGEST * 1000)} <= set(LENGTHS)
    assert bits_for(LARGEST * 1000) == LENGTHS[-1] == bits_for(LARGEST)


def test_the_digest_depends_on_every_part_of_every_row_and_not_on_their_order():
    rows = [Entry(2, 5, b"a" * 16), Entry(7, 6, b"b" * 16)]
    assert digest(rows) == digest(rows[::-1])
    assert digest([]) == ""
    others = [rows[:1], [rows[0], Entry(8, 6, b"b" * 16)], [rows[0], Entry(7, 7, b"b" * 16)], [rows[0], Entry(7, 6, b"c" * 16)]]
    assert len({digest(rows), *map(digest, others)}) == 5


@pytest.mark.parametrize("count", [0, 3, 31])
@pytest.mark.asyncio(loop_scope="function")
async def test_few_are_counted_exactly(small: World, count: int, monkeypatch: pytest.MonkeyPatch):
    ids = [bytes([255 - number]) * 16 for number in range(count)]
    monkeypatch.setattr(tables, "SMALLEST", _Rows(ids))
    assert await small.association.run(index.population) == count


@pytest.mark.asyncio(loop_scope="function")
async def test_many_are_estimated_from_ids_that_are_random(small: World, monkeypatch: pytest.MonkeyPatch):
    estimates = []
    for _ in range(25):
        monkeypatch.setattr(tables, "SMALLEST", _Rows(sorted(os.urandom(16) for _ in range(4_000))[:32]))
        estimates.append(await small.association.run(index.population))
    assert 3_000 < sorted(estimates)[12] < 5_200


@pytest.mark.asyncio(loop_scope="function")
async def test_one_value_gives_other_tokens_and_checks_to_another_type_and_record(small: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(index, "population", lambda _deed: 10**6)
    first = await store(small, FATIMA)
    await store(small, FATIMA, known=first.subject)
    await store(small, {"full_name": FATIMA["full_name"], "national_id": FATIMA["national_id"]}, type_="donor", known=first.subject)
    with small.database.connect() as connection:
        rows = connection.exec_driver_sql("SELECT field_id, token, proof FROM record_token WHERE field_id = 2").all()
    assert len({token for _, token, _ in rows}) == 2  # two records of one type, and one of another
    assert len({bytes(proof) for *_, proof in rows}) == 3


@pytest.mark.asyncio(loop_scope="function")
async def test_a_field_that_is_searchable_no_more_loses_its_token_with_its_next_value(small: World):
    kept = await store(small)
    shape = (await small.association.refresh()).types["beneficiary"]
    fields = tuple(replace(one, searchable=one.searchable and one.name != "mobile") for one in shape.fields)
    await lay_down(small, RECORD_TYPE, "beneficiary", replace(shape, fields=fields))
    assert (await numbers(small, kept), findings(small)) == ({1, 2, 7, 1 | LOOSE}, [])
    await change(small, kept, 1, {"mobile": "0559999999"})
    assert (await numbers(small, kept), findings(small)) == ({1, 2, 1 | LOOSE}, [])
    await lay_down(small, RECORD_TYPE, "beneficiary", shape)
    await change(small, kept, 2, {"mobile": "0558888888"})
    assert (await numbers(small, kept), findings(small)) == ({1, 2, 7, 1 | LOOSE}, [])


@pytest.mark.asyncio(loop_scope="function")
async def test_records_of_a_type_without_a_searchable_field_have_no_tokens(small: World):
    shape = (await small.association.refresh()).types["beneficiary"]
    plain = replace(shape, fields=tuple(replace(one, searchable=False) for one in shape.fields))
    await lay_down(small, RECORD_TYPE, "beneficiary", plain)
    kept = await store(small)
    await change(small, kept, 1, {"mobile": "0559999999"})
    assert (await numbers(small, kept), findings(small)) == (set(), [])


async def change(world: World, kept: Kept, revision: int, fields: dict[str, Any]) -> None:
    job = await errand(world)
    await world.association.run(lambda deed: service.update(deed, job, kept.record, revision, fields))


async def numbers(world: World, kept: Kept) -> set[int]:
    with world.database.connect() as connection:
        return set(connection.execute(select(tables.token.c.field_id).where(tables.token.c.record == kept.record)).scalars())


class _Rows:
    """A statement that gives these ids."""

    def __init__(self, ids: list[bytes]) -> None:
        self._ids = ids

    def rows(self, *_: object) -> list[tuple[bytes]]:
        return [(one,) for one in self._ids]
