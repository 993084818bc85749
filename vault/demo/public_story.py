"""Steps 7 and 8 of the story: a visitor of the website, and a stranger who reports a violation; neither of them signs in."""

import base64
import html
import os
import re
from typing import Any

from vault.demo.scene import ARTICLES, ASSOCIATION, Scene, made, shown_notice, signed_in
from vault.demo.telling import EntryTold, Line, Request, Teller, Told

ANALYTICS = "visitor_analytics"
_RECEIPT = re.compile(r'class="receipt"[^>]*>\s*([^<]+?)\s*<')
_ARABIC_INDIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
_NARRATIVE = "وصلتني رسالة فيها اسمي واسم مشروع خيري لم أتعامل معه قط، وأظن أن بياناتي سُلّمت إليه دون علمي."


def visitor(teller: Teller, _scene: Scene) -> None:
    """Step 7: what the site noted of a visitor's browser is refused without her consent, and again once she takes it back."""
    browser = base64.urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode()
    stored = teller.ask(
        Line(
            "يودع الموقع ما سجّله عن زيارة متصفح لا يُعرف صاحبه.",
            "The website stores what it noted of a visit; whose browser it is nobody knows.",
        ),
        Request(
            "POST",
            "/v1/records",
            {"type": "visitor", "subject": {"visitor": browser}, "fields": {"visit": "/projects · 3 pages · 4 min"}},
        ),
        Told(status=201, entry=EntryTold(kind="record.stored")),
    )
    record = made(stored)
    _visit(teller, record, Line("تُطلب بيانات الزيارة للقياس: مرفوض.", "The visit is asked for to measure use: refused."), "NO_CONSENT")
    notice = shown_notice(teller, ANALYTICS)
    teller.ask(
        Line("يضغط الزائر زر الموافقة، ولا حساب له.", "The visitor presses the button to agree, and has no account."),
        Request(
            "POST",
            f"/v1/public/{ASSOCIATION}/visitor-consents",
            {"visitor": browser, "purpose": ANALYTICS, "notice": notice, "act": "button", "gpc": False},
            public=True,
        ),
        Told(status=201, entry=EntryTold(kind="consent.granted", of_record=False)),
    )
    _visit(teller, record, Line("الآن مسموح.", "Now it is permitted."))
    teller.ask(
        Line("ويعدل بضغطة واحدة كما وافق بضغطة.", "It is taken back with one press, as it was given with one."),
        Request("POST", f"/v1/public/{ASSOCIATION}/visitor-consents/withdrawal", {"visitor": browser, "purpose": ANALYTICS}, public=True),
        Told(status=201, entry=EntryTold(kind="consent.withdrawn", of_record=False)),
    )
    _visit(teller, record, Line("فيُرفض من ساعته.", "And it is refused at once."), "CONSENT_WITHDRAWN")


def _visit(teller: Teller, record: str, line: Line, refused: str = "") -> None:
    """Ask for the visit; `refused` is the reason told of, empty where it is opened."""
    article = ARTICLES[ANALYTICS]
    told = Told(status=200, article=article, basis="electronic_consent", fields=("visit",), entry=EntryTold(kind="record.read"))
    if refused:
        entry = EntryTold(kind="record.read", outcome="refuse", reason=refused)
        told = Told(status=403, code=refused.lower().replace("_", "-"), article=article, entry=entry)
    teller.ask(line, Request("GET", f"/v1/records/{record}?purpose={ANALYTICS}&fields=visit"), told, record)


def report(teller: Teller, scene: Scene) -> None:
    """Step 8: a stranger reports on the Arabic page and follows it up with the receipt; the officer triages, and the clock runs."""
    page = teller.ask(
        Line("يفتح شخص لا نعرفه صفحة الإبلاغ العربية.", "Somebody we do not know opens the Arabic page for reports."),
        Request("GET", f"/{ASSOCIATION}/report", public=True),
        Told(status=200),
    )
    teller.check("" if 'dir="rtl"' in page.text and "<script" not in page.text else "the page: not right to left, or with a script")
    taken = teller.ask(
        Line("يرسل بلاغًا بلا اسم.", "A report is sent, without a name."),
        Request(
            "POST",
            f"/{ASSOCIATION}/report",
            public=True,
            form={"category": "disclosed_to_third_party", "narrative": _NARRATIVE, "noticed_on": "", "contact": ""},
        ),
        Told(status=201),
    )
    receipt = receipt_in(taken.text)
    teller.check("" if receipt else "the page after sending: no receipt on it")
    id_ = _triaged(teller, signed_in(teller, scene, "officer"))
    teller.ask(
        Line(
            "يتابع المبلِّغ بلاغه بإيصاله، كتبه بأرقام عربية.",
            "The reporter follows it up with the receipt, typed in Arabic digits.",
        ),
        _status(receipt.translate(_ARABIC_INDIC)),
        Told(status=200, state="in_review"),
    )
    teller.ask(
        Line("وإيصال غيره لا يفتح شيئًا.", "Another receipt opens nothing."),
        _status("0000-0000-0000-0000-0000"),
        Told(status=404, code="not-found"),
    )
    teller.check("" if id_ else "the officer's list: no report in it")


def _status(receipt: str) -> Request:
    return Request("POST", f"/v1/public/{ASSOCIATION}/breach-reports/status", {"receipt": receipt}, public=True)


def _triaged(teller: Teller, officer: str) -> str:
    """Acknowledge and triage the newest report, with the clock checked; its id, empty where the list has none."""
    listed = teller.ask(
        Line("يرى مسؤول الالتزام أن بلاغًا ورد.", "The officer sees that a report came in."),
        Request("GET", "/v1/breach-reports?limit=1", token=officer),
        Told(status=200),
    )
    items: list[dict[str, Any]] = listed.json.get("items") or []
    if not items:
        return ""
    path = f"/v1/breach-reports/{items[0]['id']}"
    read = teller.ask(
        Line("يقرؤه، والقراءة نفسها قيد في السجل.", "He reads it, and the reading itself is an entry."),
        Request("GET", path, token=officer),
        Told(status=200, entry=EntryTold(kind="breach_report.read", of_record=False)),
    )
    teller.check("" if read.json.get("narrative") == _NARRATIVE else "the report: not the words that were sent")
    teller.ask(
        Line("يقرّ بتسلّمه.", "He acknowledges it."),
        Request("POST", f"{path}/acknowledgement", {}, token=officer),
        Told(status=200, state="acknowledged"),
    )
    judged = teller.ask(
        Line("ويفرزه: قد يكون انتهاكًا لبيانات شخصية.", "And triages it: it may be a breach of personal data."),
        Request("POST", f"{path}/triage", {"finding": "breach"}, token=officer),
        Told(status=200),
    )
    clock = judged.json.get("clock") or {}
    hours = int(clock.get("seconds_left", 0)) / 3600
    teller.show(f"⏱ {hours:.1f} h · الموعد بتوقيت الرياض · due in Riyadh {clock.get('due_riyadh', '')}", "yellow")
    right = not clock.get("provisional", True) and 71 < hours <= 72  # noqa: PLR2004 - the law's 72 hours, seconds after it came
    teller.check("" if right else f"the 72-hour clock: {clock}")
    return str(items[0]["id"])


def receipt_in(page: str) -> str:
    """The receipt on the page that is shown once, empty where there is none."""
    found = _RECEIPT.search(page)
    return html.unescape(found[1]) if found else ""
