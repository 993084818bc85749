"""Answers questions without giving values: whether this may be done, with these fields, for this purpose and recipient."""

from vault.access import orders
from vault.access.verdicts import Asked, Judged, judge
from vault.access_log.deed import Deed
from vault.rulebook.asker import Errand
from vault.subjects import people


def ask(deed: Deed, errand: Errand, asked: Asked) -> Judged:
    """Decide one question; the answer, yes or no, is an entry. Raises NotFound for a record nobody has here."""
    errand = errand.still(deed)
    known = people.of_record(deed, asked.record)
    return judge(deed, errand, asked, known, orders.naming(deed, errand, asked))
