"""The queue by likeness: a flood is a few groups, one report is never buried in it, and what is done to many is done to each."""

import random
import uuid
from collections import Counter
from typing import Any

import pytest

from tests.breach_reports.desk import Desk
from vault.access_log.verify import snapshot
from vault.breach_reports import likeness
from vault.breach_reports.intake import Told
from vault.breach_reports.likeness import groups, in_common, sketch
from vault.breach_reports.reports import Knock
from vault.breach_reports.shapes import ReportFact

pytestmark = pytest.mark.asyncio(loop_scope="function")
FORMS = (
    "عاجل الجمعية تبيع بيانات المتبرعين للشركات {n} ادخل الرابط http://{w}.example/{w} لتعرف الحقيقة كاملة الآن",
    "احصل على قرض فوري بدون كفيل خلال {n} ساعة للتواصل واتساب 05{n}{n} عرض خاص لمستفيدي الجمعيات {w}",
    "تم تسريب رقم هويتي {n} واسمي {w} من الجمعية أطالب بتعويض قدره {n} ريال فورا وإلا سأرفع شكوى",
    "Congratulations {w} your breach claim number {n} is approved click http://{w}.example to receive {n} SAR today",
    "الجمعية نشرت صورتي واسمي {w} في حسابها يوم {n} دون موافقتي وأطلب حذفها فورا",
)
PEOPLE = (
    "نشرت الجمعية صورة ابنتي في حسابها دون أن أوافق على النشر.",
    "اتصل بي شخص يعرض قرضًا وقال إنه أخذ رقمي من كشوف المستفيدين عندكم، ولم أعط رقمي لأحد غيركم.",
    "رأيت ملفًا فيه أسماء الأيتام وأرقام هوياتهم مفتوحًا على شاشة الاستقبال أمام المراجعين.",
    "وصلتني رسالة بريد فيها قائمة بأسماء أسر محتاجة ومبالغ المساعدات، وأنا لست من موظفي الجمعية.",
    "My daughter's picture appeared on the charity's account although I never agreed to it.",
    "ضاع جهاز محمول من الباحثة الاجتماعية وفيه استمارات البحث لأكثر من مئة أسرة.",
)


def machine(rng: random.Random) -> str:
    """What a machine writes: one of a few forms with another number and another word each time."""
    word = "".join(rng.choice("abcdefghijklmnoprst") for _ in range(rng.randint(4, 9)))
    return rng.choice(FORMS).replace("{n}", str(rng.randint(1, 99_999))).replace("{w}", word)


async def taken(desk: Desk, narrative: str, network: str = "198.51.100.1", seen: Any = "") -> str:
    """A report of this text: its reference."""
    knock = Knock(network, desk.world.clock.now, "r", seen)
    return (await desk.reports.receive(desk.world.association, Told("other", narrative, "ar"), knock)).reference


async def queue(desk: Desk, query: str = "", who: str = "officer") -> dict[str, Any]:
    """The queue as somebody sees it."""
    answer = await desk.as_(who, "GET", f"/groups{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def known(desk: Desk) -> dict[str, ReportFact]:
    """Every report by reference."""
    from vault.breach_reports import index  # noqa: PLC0415

    association = desk.world.association
    with snapshot(desk.world.database) as connection:
        return {fact.reference: fact for fact in index.known(connection, association.cabinet, association.id).values()}


async def test_seven_hundred_reports_of_machines_in_an_hour_do_not_bury_six_of_people(desk: Desk):
    """Test 11 of the reference: half of the machines do all an honest browser does."""
    rng, people = random.Random(11), {}
    for number in range(700):
        network = f"203.0.{rng.randrange(120)}.{rng.randrange(1, 250)}"
        await taken(desk, machine(rng), network, "trap" if number % 2 else "")
        desk.world.clock.forward(5)
        if number % 116 == 58:
            text = PEOPLE[len(people)]
            people[await taken(desk, text, f"198.51.{100 + len(people)}.7")] = text
    assert len(people) == 6
    facts = known(desk)
    assert len(facts) == 706, "nothing was refused and nothing lost"
    found = await queue(desk, "?limit=40")
    assert (found["reports"], found["withheld"]) == (706, 0)
    first = {each["example"]["reference"] for each in found["items"] if each["count"] == 1}
    assert set(people) <= first, "each is a group of its own among the first forty"
    assert found["groups"] <= 40
    largest = max(each["count"] for each in (await queue(desk))["items"])
    assert largest > 100
    assert desk.findings() == []
