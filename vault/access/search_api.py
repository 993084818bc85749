"""The call that finds records by value; it gives ids and never a value."""

from typing import Any

import msgspec

from vault.access.lookups import Lookups
from vault.access.searching import Found, Sought, search
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.web.answer import Answer
from vault.web.call import Call, write_id
from vault.web.route import Body, Needs, Route


class SearchBody(Body):
    """What to look for: a value as it was typed, in one searchable field of one record type, for a purpose."""

    type: str
    field: str
    value: Any
    purpose: str


class Match(msgspec.Struct, frozen=True):
    """One record, by id."""

    id: str


class SearchAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The records that have the value and may be told of; under `intake` a name also gives records of a similar one, for a clerk."""

    matches: list[Match]
    suggestions: list[Match] | None = None


class Searching:
    """The call, with what bounds it."""

    def __init__(self, lookups: Lookups) -> None:
        """Bound every caller's searches by these."""
        self._lookups = lookups

    async def search(self, call: Call) -> Answer:
        """Find records by value."""
        asker: Asker = call.caller
        errand, body = Errand(asker, call.request_id), call.body
        self._lookups.admit(errand)
        sought = Sought(body.type, body.field, body.value, body.purpose)

        async def found() -> Found:
            return await asker.association.run(lambda deed: search(deed, errand, sought))

        told = await heard(errand, found)
        if not told.matches:
            await self._lookups.missed(errand)
        return Answer(SearchAnswer(_ids(told.matches), None if told.suggestions is None else _ids(told.suggestions)))


def _ids(records: tuple[bytes, ...]) -> list[Match]:
    return [Match(write_id(record)) for record in records]


def routes() -> list[Route]:
    """The call of this file."""
    return [
        Route(
            method="POST",
            path="/v1/records/search",
            name="records.search",
            handler=Searching(Lookups()).search,
            access=Needs("records:search"),
            body=SearchBody,
            answer=SearchAnswer,
            headers=frozenset({"Amanah-On-Behalf-Of"}),
            summary="Find records by the value of a searchable field, for a purpose; ids only.",
        ),
    ]
