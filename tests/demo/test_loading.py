"""Loading: everybody once, guardians before wards, and a refusal stops it with its reason."""

import io
import json
from collections.abc import Iterator

import pytest
from rich.console import Console

from tests.demo.wire import Wire
from vault.demo.client import Client
from vault.demo.loading import BATCH, load
from vault.demo.people import beneficiaries


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as opened:
        yield opened


def quiet() -> Console:
    return Console(file=io.StringIO())


def results(*, count: int, first: int) -> dict[str, object]:
    return {
        "results": [{"status": 201, "id": f"r{number}", "subject": f"s{number}", "revision": 1} for number in range(first, first + count)]
    }


def test_everybody_is_stored_once_and_a_ward_names_a_guardian_stored_before(wire: Wire):
    families = beneficiaries("load", 1448, 260)
    everybody = [member for family in families for member in family.members]
    free = sum(member.guardianship is None for member in everybody)
    sizes = [*_batches(free), *_batches(len(everybody) - free)]
    wire.answer("POST", "/v1/records/batch", 200, *(results(count=size, first=sum(sizes[:number])) for number, size in enumerate(sizes)))
    client = Client(wire.port, "key")
    loaded = load(client, families, quiet())
    client.close()
    assert (loaded.records, loaded.complaint) == (len(everybody), "")
    sent = [json.loads(request.body)["items"] for request in wire.requests]
    assert [len(items) for items in sent] == sizes
    items = [item for some in sent for item in some]
    names = {f"s{number}": item["fields"]["full_name"] for number, item in enumerate(items)}
    wards = [item for item in items if "subject" in item]
    assert len(wards) == len(everybody) - free
    for number, item in enumerate(items):
        if "subject" in item:
            assert int(item["subject"]["guardian"]["subject"][1:]) < number
    pairs = {
        (member.fields["full_name"], family.members[member.guardianship.by].fields["full_name"])
        for family in families
        for member in family.members
        if member.guardianship
    }
    assert {(item["fields"]["full_name"], names[item["subject"]["guardian"]["subject"]]) for item in wards} == pairs


def _batches(count: int) -> list[int]:
    return [min(BATCH, count - first) for first in range(0, count, BATCH)]


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (503, {"code": "busy"}, "503"),
        (200, {"results": [{"status": 422, "problem": {"code": "invalid", "errors": [{"field": "iban"}]}}]}, "iban"),
    ],
)
def test_a_refusal_stops_the_loading_with_its_reason(wire: Wire, status: int, body: object, told: str):
    wire.answer("POST", "/v1/records/batch", status, body)
    client = Client(wire.port, "key")
    families = [family for family in beneficiaries("load", 1448, 200) if family.shape == "alone"][:1]
    loaded = load(client, families, quiet())
    client.close()
    assert loaded.records == 0
    assert told in loaded.complaint
