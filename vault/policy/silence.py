"""A number or an address that somebody does not want to be contacted at (any more): what it ends, whoever's record holds it (6.4).

Invariant: it ends what was agreed to until then and nothing that is agreed to later, in both orders, as a withdrawal of her own would.
"""

from dataclasses import dataclass, replace

from vault.policy.facts import Person, Standing, Stop


@dataclass(frozen=True, slots=True)
class Silence:
    """The newest no to being contacted at a value: when the latest was recorded, and when the latest was said (microseconds UTC)."""

    recorded_at: int
    said_at: int


def silenced(person: Person, purpose: str, since: Silence) -> Person:
    """The person as if she had said that no herself: what she agreed to for this purpose until then has ended."""
    mine = f"{purpose}|"
    return replace(
        person,
        standings={name: _ended(standing, since) if name.startswith(mine) else standing for name, standing in person.standings.items()},
    )


def _ended(standing: Standing, since: Silence) -> Standing:
    stop = standing.newest_stop
    return replace(
        standing,
        grants=tuple(grant for grant in standing.grants if grant.recorded_at > since.recorded_at and grant.indicated_at > since.said_at),
        newest_stop=stop
        if stop is not None and stop.recorded_at > since.recorded_at
        else Stop("withdraw", since.said_at, since.recorded_at),
        twins=tuple(_ended(twin, since) for twin in standing.twins),
    )
