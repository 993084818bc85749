"""Who counts as two (promise 9): not the same person, and neither made the other, by her own hand or through accounts she made.

Invariants: the ceremony is nobody's maker, so the first three accounts may approve for each other; a client is of whoever proposed it or
any key it ever had, since she was told that key; two accounts that one person proposed are two, since for each of them an approver holds
half of the first secrets and gives it to the account's own person (docs/adr/0016-siblings.md).
"""

from vault.rulebook.book import Book

STAFF = "staff:"
CLIENT = "client:"


def same_person(book: Book, one: str, other: str) -> bool:
    """Say whether two actors ("staff:<hex id>", "client:<hex id>") count as one: they are, or one made the other, directly or not."""
    return one == other or one in _makers(book, other) or other in _makers(book, one)


def _makers(book: Book, ref: str) -> set[str]:
    """Everybody in the chain that made this actor, the nearest and the farthest."""
    found: set[str] = set()
    waiting = _made_by(book, ref)
    while waiting:
        maker = waiting.pop()
        if maker not in found:
            found.add(maker)
            waiting |= _made_by(book, maker)
    return found


def _made_by(book: Book, ref: str) -> set[str]:
    if ref.startswith(STAFF):
        member = book.staff.get(ref.removeprefix(STAFF))
        return {member.made_by} if member else set()
    if ref.startswith(CLIENT):
        client = ref.removeprefix(CLIENT)
        return {each.made_by for each in book.clients.values() if each.id == client}
    return set()
