"""The call that exports the register of disclosures, as lines of JSON or as a table for a spreadsheet."""

from io import StringIO
from typing import Final

import msgspec

from vault.access.register import COLUMNS, register
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.web.answer import Answer
from vault.web.call import Call
from vault.web.route import Person, Query, Route
from vault.web.spreadsheet import write_table

JSONL: Final = "application/jsonl; charset=utf-8"
CSV: Final = "text/csv; charset=utf-8"


async def exported(call: Call) -> Answer:
    """Export the register."""
    asker: Asker = call.caller
    errand = Errand(asker, call.request_id)
    lines = await heard(errand, lambda: asker.association.run(lambda deed: register(deed, errand)))
    if call.query["format"] == "jsonl":
        return Answer(b"".join(msgspec.json.encode(line) + b"\n" for line in lines), media_type=JSONL)
    table = StringIO()
    write_table(table, [COLUMNS, *(line.values() for line in lines)])
    return Answer(table.getvalue().encode(), media_type=CSV)


ROUTES = [
    Route(
        method="GET",
        path="/v1/disclosure-register",
        name="disclosures.register",
        handler=exported,
        access=Person("disclosures"),
        media_type=JSONL,
        query={"format": Query(kind="choice", choices=("jsonl", "csv"), default="jsonl")},
        summary="Export the register of disclosures for the record of processing.",
    ),
]
