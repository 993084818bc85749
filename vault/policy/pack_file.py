"""A policy pack read from TOML, strictly: what is unknown, missing, of another type or citing nothing is refused with its path.

Format: docs/spec/policy-pack.md.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, Final, cast

from vault.policy.contact import CHANNELS, PUBLISHED
from vault.policy.facts import Action, Form, Proof, Purpose
from vault.policy.facts import Channel as Means
from vault.policy.floor import hold, stay_within
from vault.policy.overlay import overlaid
from vault.policy.pack_facts import FEW_VALUES, Channel, Field, NoticeText, Pack, Predicate, RecordType, Review, Switches, Text
from vault.policy.predicates import HIGHEST, OLDEST, unsound
from vault.policy.reader import PackRefused, Reader

PARTS: Final = (
    *("controller", "collector", "purpose", "optional", "consequences", "recipients"),
    *("abroad", "retention", "rights", "withdrawal", "officer"),
)
"""The eleven parts of a notice (law 12 and 13, regulation 4(1))."""

KINDS: Final = (
    *("national_id", "mobile", "email", "iban", "short_address", "national_address", "postal_code", "unified_number"),
    *("text", "long_text", "integer", "choice", "date", "name", "attachment"),
)
FORMS: Final = ("written", "electronic", "verbal", "implied")
ACTIONS: Final = ("use", "contact", "publish", "disclose")
STATES: Final = ("deceased", "restricted")
PROOFS: Final = ("asserted", "vault")
MOST_DOTS: Final = 256
"""On one line of a pack, in names and texts alike."""
_CONTACT_DATA: Final = re.compile(r"([0-9] ?){7,}|SA[0-9]{2}|@|https?:|www\.")
"""What only the contact data of somebody looks like, in either digits: a pack is nobody's in particular."""
_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Signs that move what stands around them, on a terminal or in a line of two scripts, and are not seen themselves."""
_DIGITS: Final = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")


def parse(text: str, law_of: Callable[[str], Pack], text_of: Callable[[str], str] | None = None, *, floor: bool = True) -> Pack:
    """The pack this TOML says; PackRefused names the first path that does not hold.

    `law_of` gives the law pack, and the pack a file is laid over (`extends`), by name; `text_of` that pack's own text.
    Without `floor` it is read as it stands, and not held against the law and the pack below.
    """
    table = _tables(text)
    extends = table.pop("extends", "")
    below = None
    if extends:
        if text_of is None or not isinstance(extends, str):
            raise PackRefused("extends", "unknown-pack")
        table = overlaid(_tables(text_of(extends)), table)
        below = law_of(extends)
        if below.kind != "association":
            raise PackRefused("extends", "unknown-pack")
    reader = Reader(table)
    kind = reader.choice("kind", ("law", "association"))
    law = "" if kind == "law" else reader.text("law")
    base = law_of(law) if law else None
    if base is not None and base.kind != "law":
        raise PackRefused("law", "unknown-pack")
    classes = base.classes if base else _classes(reader)
    purposes, labels = _purposes(reader, classes)
    switches = _switches(reader)
    if kind == "association" and switches.sharing == "order_only":
        purposes = {code: each for code, each in purposes.items() if each.action != "disclose" or each.basis == "order"}
    pack = Pack(
        name=reader.text("name"),
        kind=kind,
        version=reader.text("version"),
        effective_from=_day(reader, "effective_from"),
        source=reader.text("source"),
        title=_text(reader.table("title")),
        law=law,
        articles=_texts(reader, "articles"),
        purposes=purposes,
        labels=labels,
        classes=classes,
        explicit_classes=base.explicit_classes if base else _explicit(reader, classes),
        switches=switches,
        channels=_channels(reader),
        review=_review(reader),
        reply=_numbers(reader, "reply"),
        retention_months=_numbers(reader, "retention"),
        report_categories=_texts(reader, "report_categories"),
        record_types=_record_types(reader, classes),
        notices=_notices(reader, purposes),
        extends=below.name if below is not None else "",
    )
    reader.finish()
    _cited(pack, base or pack)
    if below is not None and floor:
        stay_within(pack, below)
    if base is not None and floor:
        hold(pack, base)
    return pack


def _require_nobodys(table: Mapping[str, Any]) -> None:
    """Refuse a name or a text that is not seen as it stands, or in which somebody's number, account or address could stand."""
    for path, text in _texts_of(table, ""):
        if _UNSEEN.search(text) is not None:
            raise PackRefused(path, "unseen-signs")
        if _CONTACT_DATA.search(text.translate(_DIGITS)) is not None:
            raise PackRefused(path, "contact-data")


def _texts_of(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Every name and text in a table with the path of its place; what is not seen is a question mark in a path."""
    if isinstance(value, dict):
        for name, each in value.items():
            place = f"{path}.{name}" if path else str(name)
            place = _UNSEEN.sub("?", place)
            yield place, name
            yield from _texts_of(each, place)
    elif isinstance(value, list):
        for each in value:
            yield from _texts_of(each, path)
    elif isinstance(value, str):
        yield path, value


def _tables(text: str) -> dict[str, Any]:
    if any(line.count(".") > MOST_DOTS for line in text.splitlines()):
        # The time a key takes to read grows with the square of its parts.
        raise PackRefused("", "not-toml")
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # A number beyond what is read of digits is a ValueError and no TOMLDecodeError.
        raise PackRefused("", "not-toml") from error
    try:
        _require_nobodys(table)
    except RecursionError as error:
        raise PackRefused("", "not-toml") from error
    return table


def _day(reader: Reader, name: str) -> str:
    """A day of the calendar, as ISO 8601 writes one."""
    told = reader.text(name)
    try:
        plain = date.fromisoformat(told).isoformat()
    except ValueError:
        plain = ""
    if plain != told:
        raise PackRefused(name, "wrong-type")
    return told


def _channels(reader: Reader) -> dict[str, Channel]:
    found = {}
    for name, table in reader.tables("channels"):
        forms = frozenset(cast("Form", form) for form in table.words("forms", FORMS))
        found[name] = Channel(_text(table), forms)
    return found


def _review(reader: Reader) -> Review:
    table = reader.table("review", optional=True)
    found = Review(table.number("record_months", 1, 60, 12), table.number("policy_months", 1, 60, 12))
    table.finish()
    return found


def _text(reader: Reader) -> Text:
    said = Text(reader.text("ar"), reader.text("en"))
    reader.finish()
    return said


def _texts(reader: Reader, name: str) -> dict[str, Text]:
    return {key: _text(each) for key, each in reader.tables(name)}


def _numbers(reader: Reader, name: str) -> dict[str, int]:
    table = reader.table(name, optional=True)
    found = {key: table.number(key, 0, 100_000) for key in table.names()}
    table.finish()
    return found


def _classes(reader: Reader) -> dict[str, int]:
    table = reader.table("classes")
    found = {name: table.number(name, 1, 0xFEFF) for name in table.names()}
    if len(set(found.values())) != len(found):
        raise PackRefused(table.path, "number-twice")
    return found


def _explicit(reader: Reader, classes: Mapping[str, int]) -> frozenset[str]:
    table = reader.table("explicit")
    found = frozenset(table.words("classes", tuple(classes)))
    table.finish()
    return found


def _switches(reader: Reader) -> Switches:
    table = reader.table("switches", optional=True)
    found = Switches(
        sharing=table.choice("sharing", ("order_only", "order_or_written"), "order_only"),
        vital_interest=table.flag("vital_interest"),
        sale=table.flag("sale"),
    )
    table.finish()
    return found


def _purposes(reader: Reader, classes: Mapping[str, int]) -> tuple[dict[str, Purpose], dict[str, Text]]:
    purposes, labels = {}, {}
    for code, table in reader.tables("purposes"):
        basis = table.choice("basis", ("consent", "order", "law"), "consent")
        forms = frozenset(cast("Form", form) for form in table.words("forms", FORMS))
        if (basis == "consent") != bool(forms):
            raise PackRefused(f"{table.path}.forms", "forms-and-basis")
        hours = table.number("within_hours", 1, 720, 0)
        purposes[code] = Purpose(
            code=code,
            action=cast("Action", table.choice("action", ACTIONS)),
            forms=forms,
            basis="order" if basis == "order" else "law" if basis == "law" else "consent",
            internal_only=table.flag("internal_only"),
            double_opt_in=table.flag("double_opt_in"),
            honours_gpc=table.flag("honours_gpc"),
            article=table.text("article"),
            law=table.text("law"),
            classes=frozenset(table.words("classes", tuple(classes))) or None,
            despite=frozenset(table.words("despite", STATES)),
            within_hours=hours or None,
            proof=cast("Proof", table.choice("proof", PROOFS, "asserted")),
            channel=cast("Means", table.choice("channel", (*CHANNELS, *PUBLISHED), "")),
        )
        labels[code] = _text(table.table("label"))
        table.finish()
    return purposes, labels


def _record_types(reader: Reader, classes: Mapping[str, int]) -> dict[str, RecordType]:
    found = {}
    for name, table in reader.tables("record_types"):
        fields = {key: _field(key, each, classes) for key, each in table.tables("fields")}
        if len({each.id for each in fields.values()}) != len(fields):
            raise PackRefused(f"{table.path}.fields", "number-twice")
        either = table.groups("either", tuple(fields))
        predicates = _predicates(table, fields)
        found[name] = RecordType(name, table.number("id", 1, 0xFFFF), _text(table.table("label")), fields, either, predicates)
        table.finish()
    return found


def _predicates(table: Reader, fields: Mapping[str, Field]) -> tuple[Predicate, ...]:
    found = tuple(_predicate(key, each) for key, each in table.tables("predicates"))
    for number, code in unsound(fields, found):
        raise PackRefused(f"{table.path}.predicates.{found[number].name}", code)
    return found


def _predicate(name: str, table: Reader) -> Predicate:
    found = Predicate(
        name=name,
        field=table.text("field"),
        label=Text(table.text("ar"), table.text("en")),
        younger_than=table.number("younger_than", 1, OLDEST) if table.has("younger_than") else None,
        below=table.number("below", 1, HIGHEST) if table.has("below") else None,
        one_of=table.words("one_of", None),
        begins_with=table.text("begins_with") if table.has("begins_with") else "",
    )
    table.finish()
    return found


def _field(name: str, table: Reader, classes: Mapping[str, int]) -> Field:
    found = Field(
        name=name,
        id=table.number("id", 1, 0xFFFF),
        kind=table.choice("kind", KINDS),
        class_name=table.choice("class", tuple(each for each in classes if each != "sheet")),
        searchable=table.flag("searchable"),
        required=table.flag("required"),
        choices=tuple(table.words("choices", None)),
        low=table.number("low", 0, 10**12) if table.has("low") else None,
        high=table.number("high", 0, 10**12) if table.has("high") else None,
        label=Text(table.text("ar"), table.text("en")),
    )
    if (found.kind == "choice") != bool(found.choices):
        raise PackRefused(f"{table.path}.choices", "choices-and-kind")
    if found.searchable and found.kind in FEW_VALUES:
        raise PackRefused(f"{table.path}.searchable", "low-cardinality")
    table.finish()
    return found


def _notices(reader: Reader, purposes: Mapping[str, Purpose]) -> dict[str, NoticeText]:
    table = reader.table("notice", optional=True)
    order = table.words("order", PARTS)
    common = {part: _text(each) for part, each in table.tables("common")}
    found = {}
    for code in table.names():
        parts = {**common, **{part: _text(each) for part, each in table.tables(code)}}
        if set(parts) != set(PARTS) or set(order) != set(PARTS):
            raise PackRefused(f"notice.{code}", "eleven-parts")
        text = Text(*("\n\n".join(getattr(parts[part], language) for part in order) for language in ("ar", "en")))
        found[code] = NoticeText(parts, text)
    table.finish()
    return {code: each for code, each in found.items() if code in purposes}


def _cited(pack: Pack, law: Pack) -> None:
    """Every article and law a purpose cites is there to be read, and every purpose of consent has its notice."""
    for code, purpose in pack.purposes.items():
        if (pack.kind == "association" and purpose.article not in pack.articles) or purpose.law not in law.articles:
            raise PackRefused(f"purposes.{code}", "cites-nothing")
        if purpose.basis == "consent" and code not in pack.notices:
            raise PackRefused(f"notice.{code}", "missing")
