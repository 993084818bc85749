"""What the calls of notices to people take and give. Times RFC 3339, ids lower-case UUIDs; no name and no address is among them."""

from typing import Annotated, Literal

import msgspec

from vault.breach_reports.authority_notice_bodies import WordsBody, WordsTold
from vault.breach_reports.bodies import EntryTold
from vault.web import Body

_Short = Annotated[str, msgspec.Meta(max_length=2_000)]
_NOTHING = WordsBody()


class NewPeopleNotice(Body, kw_only=True):
    """The words of a notice: what happened, risks and measures, whom to ask, what she can do (24(5)); each in Arabic at least."""

    description: WordsBody = _NOTHING
    risks: WordsBody = _NOTHING
    contact: WordsBody = _NOTHING
    advice: WordsBody = _NOTHING


class ListPeople(Body):
    """Records of the people it is for, up to 200 in one call."""

    records: Annotated[tuple[_Short, ...], msgspec.Meta(min_length=1, max_length=200)]


class ApproveLetters(Body):
    """How many people are on the list, those who are to leave it among them, and the list as the second person saw it.

    `code`: unless her session is stepped up.
    """

    people: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    list_version: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
    code: _Short | None = None


class SendAgain(Body):
    """Send again what failed and, once approved, what was withheld while it was over; with `doubtful` also what may have arrived."""

    doubtful: bool = False


class LetterOutcome(Body):
    """What became of a letter that went by hand or by post."""

    result: Literal["delivered", "returned"]


class ApprovalTold(msgspec.Struct):
    """Who let letters go out, when, and how many places of the list that covers."""

    by: str
    at: str
    people: int


class LeavingTold(msgspec.Struct):
    """Somebody whom another wants off the list although two people let her letter go."""

    letter: str
    record: str
    proposed_by: str
    proposed_at: str


class PeopleNoticeItem(msgspec.Struct, kw_only=True):
    """A notice to people without its words; `people` are on its list, `waiting` of them for a second person.

    `leaving` are to be taken off it by a second person's approval, unless their letters left before.
    `list_version` is another number after every change of the list: who approves names the one she saw.
    """

    notice: int
    drafted_by: str
    drafted_at: str
    people: int
    list_version: int
    waiting: int
    leaving: list[LeavingTold]
    approvals: list[ApprovalTold]


class PeopleNoticeList(msgspec.Struct):
    """The notices of an incident to people, oldest first, and how that track stands."""

    items: list[PeopleNoticeItem]
    people: str


class PeopleNoticeTold(msgspec.Struct, kw_only=True):
    """A notice to people with its words."""

    item: PeopleNoticeItem
    description: WordsTold
    risks: WordsTold
    contact: WordsTold
    advice: WordsTold
    entry: EntryTold


class LetterTold(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One letter: `listed`, `sending`, `sent`, `failed`, `doubtful`, `post`, `withheld`, `delivered`, `returned` or `removed`.

    `to`: "self" or "guardian", once it was addressed. `reason`: why it failed, goes by post or was withheld. `leaving` where somebody wants
    it off the list and a second person has not said so.
    """

    id: str
    record: str
    state: str
    at: str
    attempts: int
    to: str | None = None
    reason: str | None = None
    noted_by: str | None = None
    leaving: bool = False


class LetterList(msgspec.Struct):
    """A page of a notice's letters, how many there are in each state in all, and the number of the list it is a page of."""

    items: list[LetterTold]
    next: str | None
    counts: dict[str, int]
    list_version: int


class SentAgain(msgspec.Struct):
    """How many letters go out again."""

    letters: int
