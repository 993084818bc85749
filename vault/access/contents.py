"""What a package holds, as files: the values for machines, for a spreadsheet and for readers in both languages, and the files they name.

Invariant: everything here came through the door against a committed entry, and goes nowhere but into the seal.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from keys.bundles import CONTENT
from vault.access.releasing import Releasing
from vault.access.verdicts import Judged
from vault.attachments.receiving import ENDINGS
from vault.rulebook.channels import Channels
from vault.rulebook.shapes import FieldFact
from vault.web.call import write_id
from vault.web.paper import LONE, Pages
from vault.web.spreadsheet import write_table
from vault.web.times import in_words, moment, write_time

_PAGES: Final = Pages("vault.access")
_LANGUAGES: Final[tuple[Literal["ar", "en"], ...]] = ("ar", "en")
_content = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Enclosed:
    """The files that the records of a release name, by record (16-byte id) and field; the association and what it calls itself."""

    files: Mapping[tuple[bytes, str], bytes]
    code: str
    channels: Channels


@dataclass(frozen=True, slots=True)
class Held:
    """One record on its way into the package; `files` the names its documents have there, by field."""

    judged: Judged
    values: Mapping[str, Any]
    files: Mapping[str, str]

    def text(self, field: FieldFact) -> str:
        """The value of a field in words, "" for none."""
        value = self.values.get(field.name)
        if field.name in self.files:
            return self.files[field.name]
        if isinstance(value, Mapping):
            return str(value["text"]) if field.kind == "date" else ", ".join(str(part) for part in value.values())
        return "" if value is None else str(value)


def contents(releasing: Releasing, enclosed: Enclosed) -> dict[str, bytes]:
    """Open what the committed entries name; every file of the package by its name. Raises Unavailable `integrity`."""
    held, documents = [], dict[str, bytes]()
    for number, (judged, values) in enumerate(zip(releasing.judged, releasing.values(), strict=True), 1):
        one, its = hold(enclosed, number, judged, values)
        held.append(one)
        documents |= its
    told = _told(releasing, enclosed.code, held)
    return {
        CONTENT: _content.encode(told),
        **{f"{type_}.csv": _table(releasing, type_, held) for type_ in sorted({one.judged.state.type for one in held})},
        **{f"page.{language}.html": _page(releasing, enclosed, held, language).encode() for language in _LANGUAGES},
        **documents,
    }


def hold(enclosed: Enclosed, number: int, judged: Judged, values: Mapping[str, Any]) -> tuple[Held, dict[str, bytes]]:
    """One opened record as a package has it, the one of this number in it, and its files by the names they have there."""
    named = {field: name for field, value in values.items() if (name := _named(enclosed, judged, number, field, value))}
    return Held(judged, values, named), {name: enclosed.files[judged.asked.record, field] for field, name in named.items()}


def _named(enclosed: Enclosed, judged: Judged, number: int, field: str, value: Any) -> str:  # noqa: ANN401 - a value of any kind
    if (judged.asked.record, field) not in enclosed.files:
        return ""
    return f"files/{number}-{field}.{ENDINGS[value['type']]}"


def _told(releasing: Releasing, code: str, held: Sequence[Held]) -> dict[str, Any]:
    found, order = releasing.disclosure, releasing.order
    types = sorted({one.judged.state.type for one in held})
    return {
        "association": code,
        "disclosure": write_id(bytes.fromhex(found.id)),
        "serial": releasing.serial,
        **_of_several(releasing),
        "recipient": found.recipient,
        "purpose": found.purpose,
        "issued": write_time(releasing.at),
        **({"order": {"authority": order.authority, "number": order.number, "issued_on": order.issued_on}} if order else {}),
        "labels": {type_: {field.name: field.labels for field in _fields(releasing, type_)} for type_ in types},
        "records": [
            {
                "id": write_id(one.judged.asked.record),
                "type": one.judged.state.type,
                "revision": one.judged.state.revision,
                "fields": one.values,
                **({"files": one.files} if one.files else {}),
            }
            for one in held
        ],
    }


def _of_several(releasing: Releasing) -> dict[str, Any]:
    """Which page of how many it is, and which records of it do not leave with it; why they do not, is not the recipient's to know.

    An authority asked about these records; whoever was to get them on consents is not told that somebody does not agree any more.
    """
    if releasing.disclosure.further is None:
        return {}
    left_out = [write_id(bytes.fromhex(one.record)) for one in releasing.left_out] if releasing.order is not None else []
    return {"page": {"number": releasing.page.number, "of": releasing.disclosure.further.pages}, "left_out": left_out}


def _fields(releasing: Releasing, type_: str) -> Iterator[FieldFact]:
    return (field for field in releasing.book.types[type_].fields if field.name in releasing.fields)


def _table(releasing: Releasing, type_: str, held: Sequence[Held]) -> bytes:
    """The records of one type as a table, a column for each field that any of them has here, under its Arabic name and its code."""
    fields, out = list(_fields(releasing, type_)), io.StringIO()
    head = ["id", *(f"{field.labels.get('ar', '')} ({field.name})" for field in fields)]
    ours = [one for one in held if one.judged.state.type == type_]
    write_table(out, [head, *([write_id(one.judged.asked.record), *(one.text(field) for field in fields)] for one in ours)])
    return out.getvalue().encode()


def _page(releasing: Releasing, enclosed: Enclosed, held: Sequence[Held], language: Literal["ar", "en"]) -> str:
    found, book, order = releasing.disclosure, releasing.book, releasing.order
    verdict, other = releasing.judged[0].verdict, "ar" if language == "en" else "en"
    return _PAGES.page(
        "package.html",
        language,
        policy=LONE,
        other=f"page.{other}.html",
        demonstration=enclosed.channels.demonstration,
        name=enclosed.channels.named(enclosed.code, language),
        recipient=releasing.recipient.name[language],
        purpose=book.purposes[found.purpose].title.get(language, found.purpose),
        basis=verdict.basis,
        article=verdict.article,
        order=order,
        issued=in_words(moment(releasing.at), language),
        disclosure=write_id(bytes.fromhex(found.id)),
        serial=releasing.serial,
        several=_of_several(releasing),
        records=[
            {
                "id": write_id(one.judged.asked.record),
                "fields": [
                    {
                        "label": field.labels.get(language, field.name),
                        "text": one.text(field),
                        "link": one.files.get(field.name),
                    }
                    for field in _fields(releasing, one.judged.state.type)
                    if field.name in one.values
                ],
            }
            for one in held
        ],
    )
