"""The rule that an association narrows its pack, and a pack the one it is laid over, and neither widens it."""

from vault.policy.facts import Purpose
from vault.policy.pack_facts import Field, RecordType


def within(narrow: Purpose, wide: Purpose) -> bool:
    """True where one purpose allows nothing that the other does not, and cites the same article and law."""
    return (
        (narrow.action, narrow.basis, narrow.article, narrow.law) == (wide.action, wide.basis, wide.article, wide.law)
        and narrow.forms <= wide.forms
        and narrow.internal_only >= wide.internal_only
        and narrow.double_opt_in >= wide.double_opt_in
        and narrow.honours_gpc >= wide.honours_gpc
        and (wide.classes is None or (narrow.classes is not None and narrow.classes <= wide.classes))
        and narrow.despite <= wide.despite
        and _channel_within(narrow, wide)
        and (wide.proof == "asserted" or narrow.proof == "vault")
        and (wide.within_hours is None or (narrow.within_hours is not None and narrow.within_hours <= wide.within_hours))
    )


def same_deed(new: Purpose, old: Purpose) -> bool:
    """True where one purpose does what the other did and by no other means: who agreed to that agreed to nothing else."""
    return (new.action, new.basis) == (old.action, old.basis) and _channel_within(new, old)


def _channel_within(narrow: Purpose, wide: Purpose) -> bool:
    """A purpose of contact without a channel reaches nobody, one of publication without a channel every channel."""
    if wide.action == "publish":
        return wide.channel in {"", narrow.channel}
    return narrow.channel in {"", wide.channel}


def type_within(narrow: RecordType, wide: RecordType) -> bool:
    """True where a record type declares no field, class, kind or search that the pack's type does not, and asks for no less."""
    for name, mine in narrow.fields.items():
        laid = wide.fields.get(name)
        if (
            laid is None
            or (mine.id, mine.kind, mine.class_name) != (laid.id, laid.kind, laid.class_name)
            or mine.searchable > laid.searchable
            or not set(mine.choices) <= set(laid.choices)
            or bool(mine.choices) != bool(laid.choices)
            or not _inside(mine, laid)
        ):
            return False
    return demands_kept(narrow, wide)


def demands_kept(narrow: RecordType, wide: RecordType) -> bool:
    """True where a record type asks for no less than the other: what must be there still must, and of each group one."""
    # A field that must be there fills every group it stands in, and a smaller group asks for more than a larger one.
    asked = [{name} for name, each in narrow.fields.items() if each.required] + [set(group) for group in narrow.either]
    demanded = [{name} for name, each in wide.fields.items() if each.required] + [set(group) for group in wide.either]
    return all(any(each and each <= group for each in asked) for group in demanded)


def _inside(mine: Field, laid: Field) -> bool:
    """True where a field's bounds let no number in that the other's keep out."""
    low = laid.low is None or (mine.low is not None and mine.low >= laid.low)
    return low and (laid.high is None or (mine.high is not None and mine.high <= laid.high))
