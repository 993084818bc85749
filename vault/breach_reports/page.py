"""The two pages of the public: report, and follow up with the receipt. No cookie, no receipt in an address, nothing that needs a script."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final

from markupsafe import Markup

from vault.breach_reports import telling
from vault.breach_reports.exclusion import OFFICES, Wish
from vault.breach_reports.files import ENDINGS, MOST_FILES, MOST_TOGETHER
from vault.breach_reports.intake import Told
from vault.breach_reports.lifecycle import in_riyadh
from vault.breach_reports.limits import IntakeSealed
from vault.breach_reports.reports import Follow, GivenFile, Knock, Reports
from vault.breach_reports.shapes import Doubt, Language
from vault.errors import FieldError, Invalid, NotFound, TooMany, Unavailable, VaultError
from vault.rulebook.association import Association
from vault.web import Answer, Call, Form, Public, Query, Rate, Route
from vault.web.answer import HTML
from vault.web.paper import Pages, policy_with
from vault.web.problems import problem_headers, problem_of, status_of
from vault.web.route import KIBIBYTE, Handler
from vault.web.times import parse_time

PAGES: Final = Pages("vault.breach_reports")
TRAP: Final = "website"
"""A field that people do not see: whoever fills it in is a program, or has one fill forms for her."""
MOST_BODY: Final = 192 * KIBIBYTE
"""Three times what the longest report in Arabic takes, each letter written as six characters: who wrote too much gets it back."""
MOST_WITH_FILES: Final = MOST_TOGETHER + MOST_BODY
_FILES: Final[Any] = {"file": "file", "most": MOST_FILES, "texts": MOST_BODY, "keeps": True, "seconds": 300.0}
FILE_FORM: Final = Form(fields={"receipt": 4 * KIBIBYTE, "file": KIBIBYTE})
_EXCLUDE: Final = {office: f"exclude_{office}" for office in OFFICES}
REPORT_FORM: Final = Form(
    fields=dict.fromkeys(("category", "narrative", "noticed_on", "contact", *_EXCLUDE.values(), "exclude", TRAP), MOST_BODY), **_FILES
)
STATUS_FORM: Final = Form(fields=dict.fromkeys(("receipt", "text"), MOST_BODY), **_FILES)
"""What is too long comes back on the page as far as it came; nothing is lost without a word."""
REPORTING: Final = Rate(bucket="report-posts", burst=120, per_second=0.5)
RECEIPTS: Final = Rate(bucket="receipt-posts", burst=120, per_second=0.5)
"""Of one network, by page and by call together, whatever came of it; taken before anything is read. The room's own limits are narrower."""
_CUT: Final = "too-large"
_SCRIPT: Final = files("vault.breach_reports").joinpath("pages", "receipt.js").read_text(encoding="utf-8").strip()
_POLICY: Final = {"Content-Security-Policy": policy_with(_SCRIPT)}
"""Of the one page with a script: it copies and prints the receipt, and the page does without it."""
_LEAVING: Final = {"Content-Security-Policy": "sandbox; default-src 'none'"}
"""Of what somebody handed in: it is shown as a file and never as a page of ours."""
_LANG: Final = {"lang": Query(kind="choice", choices=("ar", "en"))}
# From the wrong to the name of the sentence in words.toml.
_SENTENCES: Final = {
    ("category", "out-of-range"): "wrong_category",
    ("narrative", "out-of-range"): "wrong_narrative",
    ("noticed_on", "wrong-type"): "wrong_day",
    ("noticed_on", "out-of-range"): "wrong_day",
    ("noticed_on", "future-dated"): "wrong_future",
    ("contact", "out-of-range"): "wrong_contact",
    ("exclude", "out-of-range"): "wrong_exclude",
    ("exclude", "nobody-left"): "wrong_nobody_left",
    ("text", "out-of-range"): "wrong_text",
    ("narrative", _CUT): "wrong_cut",
    ("text", _CUT): "wrong_cut",
    ("file", "unknown-file-type"): "wrong_file_type",
    ("file", "too-large"): "wrong_file_large",
    ("file", "too-many"): "wrong_files_many",
    ("file", "no-room"): "wrong_files_room",
}


def page_routes(reports: Reports) -> list[Route]:
    """Return the pages of this room."""
    pages = _Pages(reports)
    return [
        _page(
            "GET",
            "/{association}/report",
            "breach_reports.form",
            pages.opened(pages.form),
            summary="The page on which anybody reports a violation.",
        ),
        _page(
            "POST",
            "/{association}/report",
            "breach_reports.submit",
            pages.opened(pages.submit),
            summary="Report a violation from the page.",
            form=REPORT_FORM,
            limit=REPORTING,
        ),
        _page(
            "GET",
            "/{association}/report/status",
            "breach_reports.ask",
            pages.opened(pages.ask),
            summary="The page on which a report is followed up.",
        ),
        _page(
            "POST",
            "/{association}/report/status",
            "breach_reports.follow",
            pages.opened(pages.follow),
            summary="Follow up from the page.",
            form=STATUS_FORM,
            limit=RECEIPTS,
        ),
        _page(
            "POST",
            "/{association}/report/status/file",
            "breach_reports.fetch",
            pages.opened(pages.fetch),
            summary="Fetch a file of the association's reply from the page.",
            form=FILE_FORM,
            limit=RECEIPTS,
        ),
    ]


def _page(method: str, path: str, name: str, handler: Any, *, summary: str, form: Form | None = None, limit: Rate | None = None) -> Route:  # noqa: ANN401  # a bound coroutine method
    return Route(
        method=method,
        path=path,
        name=name,
        handler=handler,
        access=Public(),
        form=form,
        max_body=MOST_WITH_FILES if form is not None and form.file else MOST_BODY,
        media_type=HTML,
        query=_LANG,
        limit=limit,
        summary=summary,
    )


@dataclass(frozen=True, slots=True)
class _Pages:
    """The handlers: call the room, fill the template."""

    reports: Reports

    def opened(self, handler: Handler) -> Handler:
        """The handler, before which a sealed vault's page stands: it names the other channels and keeps what was typed."""

        async def at(call: Call) -> Answer:
            try:
                return await handler(call)
            except IntakeSealed as error:
                return self._shut(call, error)

        return at

    async def form(self, call: Call) -> Answer:
        return await self._report(call, self.reports.association(call.path["association"]))

    async def submit(self, call: Call) -> Answer:
        association = self.reports.association(call.path["association"])
        if call.form.is_cut:
            return await self._report(call, association, Invalid([FieldError("narrative", _CUT)]))
        try:
            if call.form.upload is None:
                taken = await self.reports.receive(association, _told(call), _knock(call, _doubt(call)))
            else:
                taken = await self.reports.receive_with(association, lambda: _told(call), call.form.uploads(), _knock(call, _doubt(call)))
        except (Invalid, TooMany, Unavailable) as error:
            return await self._report(call, association, error)
        script = Markup(_SCRIPT)  # noqa: S704  # our own file, whose hash the policy names
        return self._answer("taken.html", call, association, status=HTTPStatus.CREATED, headers=_POLICY, taken=taken, script=script)

    async def ask(self, call: Call) -> Answer:
        return self._status(call, self.reports.association(call.path["association"]))

    async def follow(self, call: Call) -> Answer:
        association, fields = self.reports.association(call.path["association"]), call.form.fields
        receipt, text = fields.get("receipt", ""), fields.get("text")
        wrong: VaultError | None = None
        if call.form.is_cut:
            return self._status(call, association, error=Invalid([FieldError("text", _CUT)]))
        try:
            followed = None
            if text is not None or call.form.upload is not None:
                try:
                    followed = await self._written(call, association, receipt)
                except Invalid as error:
                    wrong = error
            followed = followed or await self.reports.follow(association, receipt, _knock(call))
        except (NotFound, TooMany, Unavailable) as error:
            return self._status(call, association, error=error)
        return self._status(call, association, followed, wrong)

    async def _written(self, call: Call, association: Association, receipt: str) -> Follow:
        if call.form.upload is None:
            return await self.reports.write(association, receipt, call.form.fields.get("text", ""), _knock(call))
        return await self.reports.write_with(
            association, receipt, lambda: call.form.fields.get("text", ""), call.form.uploads(), _knock(call)
        )

    async def fetch(self, call: Call) -> Answer:
        association, fields = self.reports.association(call.path["association"]), call.form.fields
        try:
            file = await self.reports.file(association, fields.get("receipt", ""), fields.get("file", "").replace("-", ""), _knock(call))
        except (NotFound, TooMany, Unavailable) as error:
            return self._status(call, association, error=error)
        return leaving(file)

    async def _report(self, call: Call, association: Association, error: VaultError | None = None) -> Answer:
        """The form, with what was filled in and what is wrong with it: nobody types a report twice."""
        categories = await self.reports.categories(association)
        language = _language(call)
        return self._answer(
            "report.html",
            call,
            association,
            status=None if error is None else status_of(error),
            headers={} if error is None else problem_headers(error),
            categories=[(code, label.ar if language == "ar" else label.en) for code, label in categories.items()],
            filled={name: call.form.fields.get(name, "") for name in REPORT_FORM.fields},
            offices=[
                (_EXCLUDE[office], getattr(PAGES.words(language), f"office_{office}")) for office in await self.reports.offices(association)
            ],
            trap=TRAP,
            today=in_riyadh(call.now).date().isoformat(),
            **_wrong(call, error),
        )

    def _status(self, call: Call, association: Association, followed: Follow | None = None, error: VaultError | None = None) -> Answer:
        told = None if followed is None else telling.status(followed)
        messages = [] if told is None else [(each, _clock_text(each.at)) for each in told.messages]
        return self._answer(
            "status.html",
            call,
            association,
            status=None if error is None else status_of(error),
            headers={} if error is None else problem_headers(error),
            told=told,
            messages=messages,
            received=None if told is None else _clock_text(told.received_at),
            receipt=call.form.fields.get("receipt", ""),
            text=call.form.fields.get("text", "") if error is not None else "",
            missing=isinstance(error, NotFound),
            kinds={kind: ending.upper() for kind, ending in ENDINGS.items()},
            **_wrong(call, None if isinstance(error, NotFound) else error),
        )

    def _shut(self, call: Call, error: IntakeSealed) -> Answer:
        given = {name: text for name, text in call.form.fields.items() if text}
        shown = [(name, given.pop(name)) for name in ("narrative", "text") if name in given]
        told = {"shown": shown, "hidden": list(given.items()), **_wrong(call, error)}
        return self._paper("shut.html", call, call.path["association"], status=status_of(error), headers=problem_headers(error), **told)

    def _answer(self, template: str, call: Call, association: Association, **values: Any) -> Answer:  # noqa: ANN401  # a template's values
        return self._paper(template, call, association.code, **values)

    def _paper(self, template: str, call: Call, code: str, **values: Any) -> Answer:  # noqa: ANN401  # a template's values
        channels = self.reports.channels_of(code)
        values |= {"name": channels.named(code, call.language), "demonstration": channels.demonstration}
        return PAGES.answer(template, call.language, code=code, channels=channels, **values)


def leaving(file: GivenFile, name: str = "file") -> Answer:
    """The answer that gives a file away, under a name that tells its kind and nothing else."""
    named: Mapping[str, str] = {"Content-Disposition": f'attachment; filename="{name}.{ENDINGS[file.type]}"'}
    return Answer(file.content, media_type=file.type, headers={**_LEAVING, **named})


def _language(call: Call) -> Language:
    return "en" if call.language == "en" else "ar"


def _told(call: Call) -> Told:
    """What was filled in, once all of it was read."""
    fields = call.form.fields
    wish = Wish(tuple(office for office, name in _EXCLUDE.items() if fields.get(name)), fields.get("exclude", ""))
    day, contact = fields.get("noticed_on", ""), fields.get("contact", "")
    return Told(fields.get("category", ""), fields.get("narrative", ""), _language(call), day, contact, wish)


def _knock(call: Call, seen: Doubt = "") -> Knock:
    return Knock(call.network, call.now, call.request_id, seen)


def _doubt(call: Call) -> Doubt:
    if call.form.fields.get(TRAP):
        return "trap"
    return "elsewhere" if call.is_from_elsewhere else ""


def _wrong(call: Call, error: VaultError | None) -> dict[str, Any]:
    """What a template is told of an error: sentences by field where fields are wrong, else the problem's own words."""
    if error is None:
        return {"wrong": {}, "problem": None}
    if isinstance(error, Invalid):
        words = PAGES.words(call.language)
        return {"wrong": {each.field: getattr(words, _SENTENCES[each.field, each.code]) for each in error.errors}, "problem": None}
    return {"wrong": {}, "problem": problem_of(error, call.request_id, call.language)}


def _clock_text(time: str) -> str:
    return in_riyadh(parse_time(time)).strftime("%Y-%m-%d %H:%M")
