"""A number or an address that somebody does not want to be contacted at any more: what it ends, whoever's record holds it (article 6.4).

Invariant: it ends what was agreed to until then and nothing that is agreed to later, in both orders, as a withdrawal of her own would.
"""

from dataclasses import replace

from vault.policy.facts import Person, Standing, Stop


def silenced(person: Person, purpose: str, since: int) -> Person:
    """The person as if all she agreed to for this purpose until `since` (microseconds UTC) were withdrawn then."""
    mine = f"{purpose}|"
    return replace(
        person,
        standings={name: _ended(standing, since) if name.startswith(mine) else standing for name, standing in person.standings.items()},
    )


def _ended(standing: Standing, since: int) -> Standing:
    stop = standing.newest_stop
    return replace(
        standing,
        grants=tuple(grant for grant in standing.grants if grant.recorded_at > since and grant.indicated_at > since),
        newest_stop=stop if stop is not None and stop.recorded_at > since else Stop("withdraw", since, since),
        twins=tuple(_ended(twin, since) for twin in standing.twins),
    )
