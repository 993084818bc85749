"""The call that renews one person's keys."""

from typing import Final

import msgspec

from vault.access.renewing import renew_keys
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.subjects.meant import by_record
from vault.web.answer import Answer
from vault.web.call import Call, write_id
from vault.web.route import Person, Rate, Route

WEIGHT: Final = 50
"""A deed of many rows: few others go with it in one transaction."""


class RenewedRecord(msgspec.Struct, frozen=True):
    """A record and the revision it has now."""

    id: str
    revision: int


class KeyRenewal(msgspec.Struct, frozen=True):
    """Every record of the person, sealed anew."""

    records: list[RenewedRecord]


async def renew(call: Call) -> Answer:
    """Renew the keys of the record's person."""
    asker: Asker = call.caller
    errand, record = Errand(asker, call.request_id), call.path_id("record")
    done = await heard(
        errand, lambda: asker.association.run(lambda deed: renew_keys(deed, errand, record), weight=WEIGHT), by_record(record)
    )
    return Answer(KeyRenewal([RenewedRecord(write_id(id_), revision) for id_, revision in done.records]))


ROUTES: Final = [
    Route(
        method="POST",
        path="/v1/records/{record}/key-renewal",
        name="keys.renew",
        handler=renew,
        access=Person("erasures"),
        answer=KeyRenewal,
        limit=Rate(bucket="key-renewal", burst=20, per_second=0.5),
        summary="Give the record's person other keys: all of hers is sealed anew, and the old keys are gone.",
    ),
]
