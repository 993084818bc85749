"""Who counts as two (promise 9): not the same person, and neither made the other, by her own hand or through accounts she made.

Invariants: the ceremony is nobody's maker, so the first three accounts may approve for each other; a client is of whoever proposed it or
any key it ever had, since she was told that key; two accounts that one person proposed are two, since for each of them an approver holds
half of the first secrets and gives it to the account's own person (docs/adr/0016-siblings.md); two accounts that name one record of a
member of staff are one person's, and what she made by either of them she made.
"""

from collections.abc import Iterable

from vault.rulebook.book import Book

STAFF = "staff:"
CLIENT = "client:"


def same_person(book: Book, one: str, other: str) -> bool:
    """Say whether two actors ("staff:<hex id>", "client:<hex id>") count as one: one person's, or one made the other, directly or not."""
    first, second = accounts_of(book, [one]), accounts_of(book, [other])
    return other in first or not first.isdisjoint(_makers(book, second)) or not second.isdisjoint(_makers(book, first))


def accounts_of(book: Book, refs: Iterable[str]) -> frozenset[str]:
    """These actors, with every account that names the record one of them names: whoever was given a second account is one person."""
    given = frozenset(refs)
    members = [book.staff.get(ref.removeprefix(STAFF)) for ref in given if ref.startswith(STAFF)]
    records = {member.record for member in members if member is not None and member.record}
    return given | {f"{STAFF}{key}" for key, member in book.staff.items() if records and member.record in records}


def _makers(book: Book, refs: Iterable[str]) -> set[str]:
    """Everybody in the chain that made one of these actors, the nearest and the farthest, by every account of hers."""
    found: set[str] = set()
    waiting = {maker for ref in refs for maker in _made_by(book, ref)}
    while waiting:
        fresh = accounts_of(book, waiting) - found
        found |= fresh
        waiting = {maker for ref in fresh for maker in _made_by(book, ref)} - found
    return found


def _made_by(book: Book, ref: str) -> set[str]:
    if ref.startswith(STAFF):
        member = book.staff.get(ref.removeprefix(STAFF))
        return {member.made_by} if member else set()
    if ref.startswith(CLIENT):
        client = ref.removeprefix(CLIENT)
        return {each.made_by for each in book.clients.values() if each.id == client}
    return set()
