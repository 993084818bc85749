"""The story of the product, step by step: what is asked, and what the answer, its article and its entry must be.

All ten steps of the design are told; a step is one line of `STEPS` and one function, and a new one changes no other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vault.demo import erasure_story, log_story, public_story, sharing_story
from vault.demo.numbers import arabic_indic
from vault.demo.scene import ARTICLES, Scene, consent, made
from vault.demo.telling import EntryTold, Line, Request, Teller, Told

DECIDED = "decision"
REGISTERED = ("full_name", "national_id", "mobile", "health_note")


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its number in the design, its title, and the function that tells it."""

    number: int
    title: Line
    tell: Callable[[Teller, Scene], None]


def intake(teller: Teller, scene: Scene) -> None:
    """Step 1: a beneficiary is stored; a bad check digit is refused with the field named."""
    stored = teller.ask(
        Line(
            "تسجّل الباحثة الاجتماعية أرملة بكل بياناتها، فيُختم كل بيان على حدة.",
            "A social researcher's system stores a widow; each field is sealed by itself.",
        ),
        _store(scene.widow),
        Told(status=201, entry=EntryTold(kind="record.stored")),
    )
    scene.record, scene.subject = made(stored), str(stored.json.get("subject", ""))
    teller.ask(
        Line(
            "رقم هوية أخطأ كاتبه في خانة التحقق: يُرفض ويُسمّى الحقل دون ذكر الرقم، ولا قيد، إذ لم تُمَسّ بيانات أحد.",
            "A slip in the check digit: refused, the field named and the number not; no entry, since nobody's data was touched.",
        ),
        _store({**scene.widow, "national_id": scene.numbers.slip(scene.widow["national_id"])}),
        Told(status=422, code="invalid", errors=("national_id",)),
    )


def finding(teller: Teller, scene: Scene) -> None:
    """Step 2: the same person typed with other digits and another spelling is found, and no cell is opened for it."""
    for line, field, value in (
        (
            Line("يكتب موظف الاستقبال رقم هويتها بالأرقام العربية.", "A clerk types her identity number in Arabic digits."),
            "national_id",
            arabic_indic(scene.widow["national_id"]),
        ),
        (
            Line("ويكتب اسمها بلا همزة ولا «بنت».", "And types her name without the hamza and without the word for daughter."),
            "full_name",
            misspelt(str(scene.widow["full_name"])),
        ),
    ):
        found = teller.ask(line, scene.find(field, value), Told(status=200, entry=EntryTold(kind="record.search")), scene.record)
        right = [each["id"] for each in found.json.get("matches", ())] == [scene.record]
        teller.check("" if right else f"search by {field}: not the one person it is of")
    opened = teller.system.call("GET", f"/v1/access-log?record={scene.record}&kind=record.read&limit=1", token=teller.reader)
    teller.check("" if opened.json.get("items") == [] else "the search: something of hers was opened for it")


def misspelt(name: str) -> str:
    """The name as somebody in a hurry types it: no hamza on the alef, ha for the last ta marbuta, no word for son or daughter."""
    words = [word for word in name.replace("أ", "ا").replace("إ", "ا").split() if word not in ("بن", "بنت")]
    return " ".join(word[:-1] + "ه" if word.endswith("ة") else word for word in words)


def _store(fields: Mapping[str, Any]) -> Request:
    return Request("POST", "/v1/records", {"type": "beneficiary", "fields": fields})


def service(teller: Teller, scene: Scene) -> None:
    """Step 3: no read before registration, a read for what it covers, no more, and no purpose nobody declared."""
    article = ARTICLES["service_delivery"]
    teller.ask(
        Line(
            "يُطلب اسمها وجوالها لتقديم الخدمة قبل أن توافق: مرفوض، والرفض نفسه قيد.",
            "Her name and mobile are asked for before she agreed: refused, and the refusal is an entry.",
        ),
        scene.read(("full_name", "mobile")),
        Told(status=403, code="no-consent", article=article, entry=EntryTold(kind="record.read", outcome="refuse", reason="NO_CONSENT")),
        scene.record,
    )
    teller.ask(
        Line(
            "توافق إلكترونيًا موافقة صريحة على أربعة من بياناتها، منها الملاحظة الصحية لأنها حساسة.",
            "She agrees electronically and explicitly to four fields, the health note among them because it is sensitive.",
        ),
        consent(teller, scene, "service_delivery", REGISTERED, explicit=True),
        Told(status=201, entry=EntryTold(kind="consent.granted")),
        scene.record,
    )
    opened = teller.ask(
        Line(
            "الطلب نفسه الآن: يُكتب القيد أولًا ثم تُفتح القيمة.",
            "The same request now: the entry is written first, then the values are opened.",
        ),
        scene.read(("full_name", "mobile", "health_note")),
        Told(
            status=200,
            article=article,
            basis="electronic_consent",
            fields=("full_name", "mobile", "health_note"),
            entry=EntryTold(kind="record.read"),
        ),
        scene.record,
    )
    scene.allowed = opened.json.get("decision", {}).get("entry", {})
    _opened_right(teller, scene, opened.json.get("fields", {}))
    teller.ask(
        Line(
            "يُطلب الآيبان معها وهي لم توافق عليه: لا يُفتح شيء.",
            "The IBAN is asked for as well, to which she did not agree: nothing is opened.",
        ),
        scene.read(("full_name", "iban")),
        Told(
            status=403,
            code="fields-not-covered",
            article=article,
            fields=("full_name",),
            entry=EntryTold(kind="record.read", outcome="refuse", reason="FIELDS_NOT_COVERED"),
        ),
        scene.record,
    )
    teller.ask(
        Line(
            "غرض لم تعلنه الجمعية: مرفوض، لأن ما لا يُعرف لا يُسمح به.",
            "A purpose the association never declared: refused, since what is not known is not allowed.",
        ),
        scene.read(("full_name",), purpose="neighbourly_interest"),
        Told(
            status=403,
            code="unknown-purpose",
            article=ARTICLES["unknown"],
            entry=EntryTold(kind="record.read", outcome="refuse", reason="UNKNOWN_PURPOSE"),
        ),
        scene.record,
    )


def _opened_right(teller: Teller, scene: Scene, fields: Mapping[str, Any]) -> None:
    same = [fields.get(name) == scene.widow[name] for name in ("full_name", "health_note")]
    teller.check("" if all(same) else "values: not those that were stored")


def offers(teller: Teller, scene: Scene) -> None:
    """Step 4: no offer without electronic consent, one under it, and none from the second it is withdrawn."""
    article = ARTICLES["sms_offers"]
    teller.ask(
        Line(
            "هل تُرسل إليها رسالة عرض؟ موافقتها على الخدمة لا تشمل العروض.",
            "May an offer be texted to her? Her consent to the service does not cover offers.",
        ),
        scene.may_text(),
        Told(
            status=200,
            decision="deny",
            code="NO_CONSENT",
            article=article,
            entry=EntryTold(kind=DECIDED, outcome="refuse", reason="NO_CONSENT"),
        ),
        scene.record,
    )
    granted = teller.ask(
        Line("توافق إلكترونيًا على رسائل العروض.", "She agrees electronically to offers by text message."),
        consent(teller, scene, "sms_offers", ("mobile",), explicit=False),
        Told(status=201, entry=EntryTold(kind="consent.granted")),
        scene.record,
    )
    scene.offers = made(granted)
    teller.ask(
        Line("السؤال نفسه: مسموح.", "The same question: permitted."),
        scene.may_text(),
        Told(
            status=200,
            decision="permit",
            code="CONSENT_OK",
            article=article,
            basis="electronic_consent",
            fields=("mobile",),
            entry=EntryTold(kind=DECIDED),
        ),
        scene.record,
    )
    # A thief's copy from before the withdrawal; step 9 tries to bring the consent back with it.
    scene.vault.copy(scene.earlier.folder)
    teller.ask(
        Line("تعدل عن موافقتها.", "She withdraws."),
        Request("POST", f"/v1/consents/{scene.offers}/withdrawal", {"given_by": "self"}),
        Told(status=201, entry=EntryTold(kind="consent.withdrawn")),
        scene.record,
    )
    scene.withdrawn_at = teller.seen
    teller.ask(
        Line("والسؤال نفسه في الثانية ذاتها: مرفوض.", "The same question in the same second: refused."),
        scene.may_text(),
        Told(
            status=200,
            decision="deny",
            code="CONSENT_WITHDRAWN",
            article=article,
            entry=EntryTold(kind=DECIDED, outcome="refuse", reason="CONSENT_WITHDRAWN"),
        ),
        scene.record,
    )


STEPS: tuple[Step, ...] = (
    Step(1, Line("التسجيل", "Intake"), intake),
    Step(2, Line("بحث بلا فتح", "Found without opening"), finding),
    Step(3, Line("تقديم الخدمة", "Service delivery"), service),
    Step(4, Line("رسالة عرض", "An offer by text message"), offers),
    Step(5, Line("المشاركة مع جهة شريكة", "Sharing with a partner"), sharing_story.sharing),
    Step(6, Line("أمر المحكمة", "A court's order"), sharing_story.order),
    Step(7, Line("زائر الموقع", "A visitor of the website"), public_story.visitor),
    Step(8, Line("بلاغ عن انتهاك", "A violation is reported"), public_story.report),
    Step(9, Line("من اطّلع على بياناتها؟", "Who saw her data?"), log_story.who_saw),
    Step(10, Line("طلب الإتلاف", "Erasure"), erasure_story.erasure),
)


def tell(teller: Teller, scene: Scene) -> None:
    """Tell every step in order."""
    for step in STEPS:
        teller.begin(step.number, step.title)
        step.tell(teller, scene)
