"""Tells the log of the people a list or a count leaves out: one entry for all who are left out for one reason."""

from collections.abc import Sequence

from vault.access.verdicts import Weighed
from vault.access_log.deed import Deed
from vault.access_log.entry import About
from vault.rulebook.asker import Errand


def tell_left_out(deed: Deed, errand: Errand, left_out: Sequence[Weighed], recipient: str) -> None:
    """Append the entries, of the kind that was asked for; `recipient` is whom the question was about."""
    for some in _rounds(left_out):
        asked, verdict = some[0].asked, some[0].verdict
        told = errand.entry(
            kind=asked.kind,
            outcome="refuse",
            about=tuple(About(one.subject, one.asked.record) for one in some),
            fields=tuple(sorted(asked.fields)),
            purpose=asked.purpose,
            recipient=recipient,
            basis="none",
            reason=verdict.reason,
            article=verdict.article,
            law=verdict.law or None,
            count=len(some),
        )
        deed.append(told)


def _rounds(left_out: Sequence[Weighed]) -> list[list[Weighed]]:
    """Those left out so that no round has a person or a reason twice: an entry says one thing, and names a person once."""
    rounds: dict[tuple[int, str], list[Weighed]] = {}
    seen: dict[bytes, int] = {}
    for one in left_out:
        turn = seen[one.subject] = seen.get(one.subject, -1) + 1
        rounds.setdefault((turn, one.verdict.reason), []).append(one)
    return list(rounds.values())
