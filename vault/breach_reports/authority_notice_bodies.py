"""What the calls of notices to the authority take and give. Times RFC 3339; words in Arabic and English, the Arabic ones count."""

from typing import Annotated, Literal

import msgspec

from vault.breach_reports.authority_notice import Told
from vault.breach_reports.bodies import EntryTold
from vault.web import Body

_Text = Annotated[str, msgspec.Meta(max_length=2_000)]
_Reasons = Annotated[str, msgspec.Meta(max_length=20_000)]
_People = Annotated[int, msgspec.Meta(ge=0, le=100_000_000)]


class WordsBody(Body):
    """A text in Arabic, and in English where somebody wrote it."""

    ar: _Text = ""
    en: _Text = ""


_NOTHING = WordsBody()


class NewAuthorityNotice(Body, kw_only=True):
    """A notice to the authority as it is known so far, in the order of regulation 24(1); what is left out is a gap.

    (a) `description`, `happened_at`, `circumstances`; (b) `categories` of people, how many (`people`, `estimated`), `data`; (c) `effects`,
    `measures` taken and `planned`; (d) `told`: whether the people were; (e) `contact`. The moment of awareness is the incident's.
    """

    description: WordsBody = _NOTHING
    happened_at: _Text | None = None
    circumstances: WordsBody = _NOTHING
    categories: WordsBody = _NOTHING
    people: _People | None = None
    estimated: bool = False
    data: WordsBody = _NOTHING
    effects: WordsBody = _NOTHING
    measures: WordsBody = _NOTHING
    planned: WordsBody = _NOTHING
    told: Told | None = None
    contact: WordsBody = _NOTHING


class FileNotice(Body, kw_only=True):
    """That the authority's platform took it: when, under which reference; `partial` with `reasons` where it has gaps (24(2)).

    `late_reason` where it was after the time.
    """

    filed_at: _Text
    reference: _Text
    partial: bool = False
    reasons: _Reasons = ""
    late_reason: _Reasons = ""


class GapTold(msgspec.Struct):
    """A member that is missing, and the letter of its part in regulation 24(1)."""

    part: str
    member: str


class NoticeItem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A notice to the authority without its words; `kind` is that of one that was filed, else null."""

    notice: int
    complete: bool
    gaps: list[GapTold]
    drafted_by: str
    drafted_at: str
    kind: Literal["initial", "supplement"] | None = None
    partial: bool = False
    filed_at: str | None = None
    reference: str | None = None
    noted_by: str | None = None
    noted_at: str | None = None


class TaskTold(msgspec.Struct):
    """What is still to be told to the authority as a supplement: since when it is, how many hours that is, when it is reminded of next."""

    gaps: list[GapTold]
    since: str
    hours: int
    remind_at: str
    remind_riyadh: str


class NoticeList(msgspec.Struct):
    """The notices of an incident, oldest first; how the authority's track stands; the supplement that is owed, null for none."""

    items: list[NoticeItem]
    authority: str
    supplement: TaskTold | None


class WordsTold(msgspec.Struct):
    """A text in both languages, "" for what nobody wrote."""

    ar: str
    en: str


class AuthorityNoticeTold(msgspec.Struct, kw_only=True):
    """A notice with its words, the incident it is about, and since when the association was aware."""

    item: NoticeItem
    incident: str
    reference: str
    aware_at: str
    aware_riyadh: str
    description: WordsTold
    happened_at: str | None
    circumstances: WordsTold
    categories: WordsTold
    people: int | None
    estimated: bool
    data: WordsTold
    effects: WordsTold
    measures: WordsTold
    planned: WordsTold
    told: str | None
    contact: WordsTold
    reasons: str | None
    entry: EntryTold
