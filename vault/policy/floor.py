"""What no pack may weaken, whoever writes it: the law under every association, and the pack below under one that is laid over it.

Invariants: the association's own duties without consent are the law's to lay down; what goes to others takes writing, and what is said or
merely inferred is no consent; a time the law sets may be shorter and never longer; nothing said anew asks for less than what it stands on.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from vault.policy.facts import Purpose
from vault.policy.narrowing import demands_kept, within
from vault.policy.pack_facts import Pack, RecordType
from vault.policy.reader import PackRefused

ENOUGH: Final[Mapping[str, frozenset[str]]] = {
    "use": frozenset({"written", "electronic"}),
    "contact": frozenset({"written", "electronic"}),
    "publish": frozenset({"written"}),
    "disclose": frozenset({"written"}),
}
"""Forms of consent of which one can be enough, by action (6.1, 6.2, 6.4, 6.5)."""
AGREEMENT: Final = "6"
"""The article of the law under which acting on an agreement needs no consent: the one place for what is implied (004 5-7)."""
LEAST: Final = "_min_days"
"""The end of a name of a time that is the least and not the most one waits."""
UNHEARD: Final = frozenset({"verbal", "implied"})
"""Forms that are recorded and enough for nothing that was kept: a channel may capture them whatever the pack below says of it."""
ANYTHING_ELSE: Final = "other"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)


def hold(pack: Pack, law: Pack) -> None:
    """Refuse an association's pack that weakens its law.

    Raises PackRefused with the first place: `law-only`, `form-too-weak`, `order-discloses`, `stays-shut`, `longer-than-law`, `bad-name`,
    `number-twice`, `missing`.
    """
    for code, purpose in pack.purposes.items():
        _named("purposes", code)
        _purpose(pack, law, f"purposes.{code}", purpose)
    for switch in ("sale", "vital_interest"):
        if getattr(pack.switches, switch):
            raise PackRefused(f"switches.{switch}", "stays-shut")
    _no_longer(pack.reply, law.reply, "reply", "longer-than-law")
    _numbers(pack)
    if ANYTHING_ELSE not in pack.report_categories:
        # Whatever somebody has seen, there is a category to report it under (article 8).
        raise PackRefused(f"report_categories.{ANYTHING_ELSE}", "missing")


def stay_within(pack: Pack, below: Pack) -> None:
    """Refuse a pack that opens what the one it is laid over keeps shut, or asks for less. Raises PackRefused `wider-than-base`."""
    if pack.law != below.law:
        raise PackRefused("law", "wider-than-base")
    for path in _wider(pack, below):
        raise PackRefused(path, "wider-than-base")
    _no_longer(pack.reply, below.reply, "reply", "wider-than-base")
    _no_longer(pack.retention_months, below.retention_months, "retention", "wider-than-base")


def _wider(pack: Pack, below: Pack) -> Iterator[str]:
    """The places that allow more than the pack below does, purposes and switches first."""
    yield from (f"purposes.{code}" for code, each in pack.purposes.items() if not _narrows(each, below.purposes.get(code)))
    own, laid = pack.switches, below.switches
    if own.sale > laid.sale or own.vital_interest > laid.vital_interest:
        yield "switches"
    if own.sharing != laid.sharing == "order_only":
        yield "switches.sharing"
    for name, channel in below.channels.items():
        if name in pack.channels and not pack.channels[name].forms <= channel.forms | UNHEARD:
            yield f"channels.{name}"
    yield from (f"record_types.{name}" for name, each in below.record_types.items() if not _asks_as_much(pack.record_types[name], each))
    for member in ("record_months", "policy_months"):
        if getattr(pack.review, member) > getattr(below.review, member):
            yield f"review.{member}"


def _narrows(purpose: Purpose, laid: Purpose | None) -> bool:
    return laid is None or within(purpose, laid)


def _asks_as_much(own: RecordType, laid: RecordType) -> bool:
    return own.id == laid.id and demands_kept(own, laid)


def _purpose(pack: Pack, law: Pack, path: str, purpose: Purpose) -> None:
    """One purpose: whose to lay down it is, and whether what it asks for is enough for what it does."""
    if purpose.basis == "law" or purpose.code in law.purposes:
        raise PackRefused(path, "law-only")
    for member, said in (("despite", purpose.despite), ("within_hours", purpose.within_hours)):
        if said:
            # Consent ends with its giver, and lasts until it is withdrawn: only a duty of the law outlasts the one or is over after hours.
            raise PackRefused(f"{path}.{member}", "law-only")
    if purpose.basis == "order" and purpose.action != "disclose":
        raise PackRefused(f"{path}.action", "order-discloses")
    if not purpose.forms <= ENOUGH[purpose.action] | _by_agreement(pack, purpose):
        raise PackRefused(f"{path}.forms", "form-too-weak")


def _by_agreement(pack: Pack, purpose: Purpose) -> frozenset[str]:
    """What is implied is enough for acting on an agreement inside the house, with data that needs no explicit word."""
    plain = purpose.classes is not None and not purpose.classes & pack.explicit_classes
    inside = purpose.action == "use" and purpose.internal_only and purpose.law == AGREEMENT
    return frozenset({"implied"}) if plain and inside else frozenset()


def _no_longer(own: Mapping[str, int], laid: Mapping[str, int], table: str, code: str) -> None:
    for name, most in laid.items():
        if not name.endswith(LEAST) and own.get(name, most) > most:
            raise PackRefused(f"{table}.{name}", code)


def _numbers(pack: Pack) -> None:
    """One number and one class for a field's name, wherever it stands, and one number for a type: cells are sealed under them."""
    types: dict[int, str] = {}
    fields: dict[str, tuple[int, str]] = {}
    for name, each in pack.record_types.items():
        _named("record_types", name)
        if types.setdefault(each.id, name) != name:
            raise PackRefused(f"record_types.{name}.id", "number-twice")
        for field, one in each.fields.items():
            _named(f"record_types.{name}.fields", field)
            if fields.setdefault(field, (one.id, one.class_name)) != (one.id, one.class_name):
                raise PackRefused(f"record_types.{name}.fields.{field}", "number-twice")


def _named(table: str, name: str) -> None:
    """Refuse a name that is no plain word: codes are joined and cut by signs that stand in none."""
    if _NAME.fullmatch(name) is None:
        raise PackRefused(f"{table}.{name}", "bad-name")
