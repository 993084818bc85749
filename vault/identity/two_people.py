"""Two people for what one could abuse (promise 9): who is one and who is two is the rulebook's word, the refusal is this room's."""

from vault.access_log.deed import EntryRefusal
from vault.access_log.entry import Entry
from vault.identity.callers import Caller
from vault.rulebook.book import Book
from vault.rulebook.two_people import same_person


def require_two(book: Book, maker: str, approver: Caller, kind: str) -> None:
    """Refuse `same-person` unless maker and approver are two; `kind` is that of the entry the refusal leaves."""
    if same_person(book, maker, approver.ref):
        article = f"{book.association.pack}:7"
        raise EntryRefusal(
            Entry(kind=kind, outcome="refuse", actor=approver.ref, reason="SAME_PERSON", article=article, flags=approver.flags),
        )
