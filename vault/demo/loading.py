"""Loads the invented families into a vault over HTTP, guardians before wards, with a progress bar."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from vault.demo.client import Client
from vault.demo.people import Family, Member

BATCH = 100


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many records were stored, and the first complaint where one was not."""

    records: int
    complaint: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    """A member's place: the family's number and the member's in it."""

    family: int
    member: int


def load(client: Client, families: Sequence[Family], console: Console) -> Loaded:
    """Store every member of every family; stops at the first that the vault does not take."""
    everybody = [(_Place(f, m), member) for f, family in enumerate(families) for m, member in enumerate(family.members)]
    # Whoever others name as guardian is stored first, since a ward names the guardian's id.
    waves = [[each for each in everybody if each[1].guardianship is None], [each for each in everybody if each[1].guardianship is not None]]
    subjects: dict[_Place, str] = {}
    with _bar(console) as bar:
        task = bar.add_task("تحميل · loading", total=len(everybody))
        for wave in waves:
            for some in _batches(wave):
                complaint = _store(client, some, subjects)
                if complaint:
                    return Loaded(len(subjects), complaint)
                bar.advance(task, len(some))
    return Loaded(len(subjects))


def _store(client: Client, some: Sequence[tuple[_Place, Member]], subjects: dict[_Place, str]) -> str:
    """Store some members and note their subjects' ids; returns what the vault complained of, if anything."""
    answer = client.call("POST", "/v1/records/batch", {"items": [_item(place, member, subjects) for place, member in some]})
    if answer.status != HTTPStatus.OK:
        return f"{answer.status} {answer.text[:300]}"
    for (place, member), result in zip(some, answer.json["results"], strict=True):
        if result["status"] != HTTPStatus.CREATED:
            return f"{member.type} {result['status']} {result.get('problem', {}).get('code')} {result.get('problem', {}).get('errors')}"
        subjects[place] = result["subject"]
    return ""


def _item(place: _Place, member: Member, subjects: dict[_Place, str]) -> dict[str, Any]:
    item: dict[str, Any] = {"type": member.type, "fields": member.fields}
    held = member.guardianship
    if held is not None:
        guardian = {"subject": subjects[_Place(place.family, held.by)], "kind": held.kind} | ({"deed": held.deed} if held.deed else {})
        item["subject"] = {"kind": "beneficiary", "guardian": guardian}
    return item


def _batches(wave: Sequence[tuple[_Place, Member]]) -> Iterator[list[tuple[_Place, Member]]]:
    rest = iter(wave)
    while some := list(islice(rest, BATCH)):
        yield some


def _bar(console: Console) -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console)
