"""The queue by likeness: a flood is a few groups, one report is never buried in it, and what is done to many is done to each."""

import hashlib
import random
import uuid
from base64 import b64decode
from collections import Counter
from struct import unpack
from typing import Any

import pytest

from tests.breach_reports.desk import Desk
from vault.access_log.verify import snapshot
from vault.breach_reports import groups as many
from vault.breach_reports import index, likeness
from vault.breach_reports.intake import Told
from vault.breach_reports.likeness import groups, in_common, sketch
from vault.breach_reports.reports import Knock
from vault.breach_reports.shapes import ReportFact

aio = pytest.mark.asyncio(loop_scope="function")
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
    association = desk.world.association
    with snapshot(desk.world.database) as connection:
        return {fact.reference: fact for fact in index.known(connection, association.cabinet, association.id).values()}


@aio
async def test_seven_hundred_reports_of_machines_in_an_hour_do_not_bury_six_of_people(desk: Desk):
    """Test 11 of the reference: half of the machines do all an honest browser does."""
    rng, people = random.Random(11), dict[str, str]()
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


async def alike(desk: Desk, many_: int = 4) -> list[str]:
    """The ids of so many reports of one form, the oldest first."""
    for number in range(many_):
        await taken(desk, FORMS[0].replace("{n}", str(number)).replace("{w}", "abcd"), f"198.51.{100 + number}.1")
        desk.world.clock.forward(1)
    found = (await queue(desk))["items"]
    [group] = [each for each in found if each["count"] == many_]
    members = (await desk.as_("officer", "GET", f"/groups/{group['example']['id']}")).json()
    assert (members["count"], members["items"][0]["id"]) == (many_, group["example"]["id"])
    return [each["id"] for each in members["items"]]


@aio
async def test_what_is_done_on_a_group_is_an_event_and_an_entry_of_each_report_in_it(desk: Desk):
    ids = await alike(desk)
    other = await taken(desk, PEOPLE[0])
    before = len(desk.world.entries())
    body = {"reports": ids, "deed": "triage", "finding": "no_breach", "note": "إعلان لا بلاغ"}
    done = await desk.as_("officer", "POST", "/groups/triage", body)
    assert done.status_code == 200, done.text
    assert [(each["id"], each["status"], each["state"]) for each in done.json()["results"]] == [(id_, 200, "triaged") for id_ in ids]
    told = desk.world.entries()[before:]
    assert [one.kind for one in told] == ["breach_report.triaged"] * 4
    assert [(one.about[0].record or b"").hex() for one in told] == [id_.replace("-", "") for id_ in ids]
    assert {one.facts[0].kind for one in told} == {"breach_report"}
    for id_ in ids:
        read = await desk.read(id_)
        assert ([each["text"] for each in read["notes"]], read["finding"]) == (["إعلان لا بلاغ"], "no_breach")
    left = await queue(desk)
    assert ([each["example"]["reference"] for each in left["items"]], left["reports"]) == ([other], 1)
    assert desk.findings() == []


@aio
async def test_a_group_is_dismissed_by_two_people_and_each_report_of_it(desk: Desk):
    ids = await alike(desk, 3)
    proposal = {"reports": ids, "deed": "dismissal", "reason": "spam"}
    assert (await desk.as_("officer", "POST", "/groups/triage", proposal)).status_code == 200
    [group] = (await queue(desk))["items"]
    assert (group["proposed"], group["count"]) == ({"spam": 3}, 3), "nothing is dismissed by one person"
    approval = {"reports": ids, "reason": "spam"}
    own = (await desk.as_("officer", "POST", "/groups/dismissal/approval", approval)).json()["results"]
    assert [(each["status"], each["problem"]["code"]) for each in own] == [(403, "same-person")] * 3
    await desk.as_("second_officer", "GET", "")
    before = len(desk.world.entries())
    bare = await desk.as_("second_officer", "POST", "/groups/dismissal/approval", approval)
    assert (bare.status_code, bare.json()["code"]) == (403, "step-up-required")
    assert len(desk.world.entries()) == before + 1, "who may not is told once"
    await step_up(desk, "second_officer")
    other = await desk.as_("second_officer", "POST", "/groups/dismissal/approval", {**approval, "reason": "duplicate"})
    assert {each["problem"]["code"] for each in other.json()["results"]} == {"report-state"}
    done = await desk.as_("second_officer", "POST", "/groups/dismissal/approval", approval)
    assert [(each["status"], each["state"]) for each in done.json()["results"]] == [(200, "dismissed")] * 3
    assert [one.kind for one in desk.world.entries()][-3:] == ["breach_report.dismissed"] * 3
    assert (await queue(desk))["items"] == []
    assert len((await desk.as_("officer", "GET", "?state=dismissed")).json()["items"]) == 3, "nothing is lost"
    assert desk.findings() == []


async def step_up(desk: Desk, who: str) -> None:
    """Step this person's session up."""
    await desk.world.identity.sessions.step_up(await desk.world.knock(desk.tokens[who]), desk.world.one_time_code(who))


@aio
async def test_one_that_cannot_be_done_leaves_the_others_alone(desk: Desk):
    ids = await alike(desk, 3)
    assert (await desk.as_("officer", "POST", f"/{ids[1]}/acknowledgement")).status_code == 200
    nobody = str(uuid.uuid4())
    body = {"reports": [*ids, nobody], "deed": "acknowledgement"}
    done = (await desk.as_("officer", "POST", "/groups/triage", body)).json()["results"]
    assert [each["status"] for each in done] == [200, 409, 200, 404]
    assert [each.get("problem", {}).get("code") for each in done] == [None, "report-state", None, "not-found"]


@aio
async def test_a_report_is_taken_out_of_its_group_for_everybody(desk: Desk):
    ids = await alike(desk)
    done = await desk.as_("officer", "POST", f"/{ids[0]}/apart")
    assert (done.status_code, done.json()["state"]) == (200, "received")
    assert desk.world.entries()[-1].kind == "breach_report.set-apart"
    found = (await queue(desk, who="second_officer"))["items"]
    assert [(each["count"], each["example"]["id"]) for each in found] == [(1, ids[0]), (3, ids[1])], "the others stay together"
    again = await desk.as_("officer", "POST", f"/{ids[0]}/apart")
    assert (again.status_code, again.json()["code"]) == (409, "report-state")
    await desk.as_("officer", "POST", f"/{ids[1]}/acknowledgement")
    assert (await desk.as_("officer", "POST", f"/{ids[1]}/apart")).status_code == 409
    assert (await desk.as_("officer", "GET", f"/groups/{ids[1]}")).status_code == 404, "somebody has looked"


@aio
async def test_whose_reporter_wrote_again_is_counted_and_a_machine_that_does_gets_no_line_of_its_own_by_it(desk: Desk):
    await alike(desk, 3)
    mine = await desk.report(narrative=FORMS[0].replace("{n}", "7").replace("{w}", "abcd"))
    assert [each["count"] for each in (await queue(desk))["items"]] == [4]
    await desk.public("/messages", {"receipt": mine["receipt"], "text": "هل قرأتم بلاغي؟"})
    found = (await queue(desk))["items"]
    assert [(each["count"], each["unanswered"]) for each in found] == [(4, 1)]
    members = (await desk.as_("officer", "GET", f"/groups/{found[0]['example']['id']}")).json()["items"]
    assert [each["reference"] for each in members if each["unanswered"]] == [mine["reference"]]


@aio
async def test_what_is_doubtful_by_its_own_doing_comes_last_and_the_few_before_the_many(desk: Desk):
    await alike(desk, 3)
    await taken(desk, PEOPLE[2], seen="trap")
    await taken(desk, PEOPLE[1])
    found = (await queue(desk))["items"]
    assert [(each["count"], each["doubts"], each["quarantined"]) for each in found] == [(1, {}, 0), (3, {}, 0), (1, {"trap": 1}, 1)]
    aside = (await queue(desk, "?state=quarantined"))["items"]
    assert [each["doubts"] for each in aside] == [{"trap": 1}]
    page = await queue(desk, "?limit=1")
    assert page["next"] == found[0]["example"]["id"]
    rest = await queue(desk, f"?limit=2&after={page['next']}")
    assert ([each["count"] for each in rest["items"]], rest["next"]) == ([3, 1], None)
    assert (await desk.as_("officer", "GET", f"/groups?after={uuid.uuid4()}")).status_code == 404


@aio
async def test_whom_a_report_excludes_finds_it_in_no_group(desk: Desk):
    ids = await alike(desk, 3)
    officer = await desk.world.person("officer")
    assert (await desk.as_("second_officer", "POST", f"/{ids[0]}/exclusion", {"staff": str(uuid.UUID(officer.id))})).status_code == 200
    found = await queue(desk)
    assert [(each["count"], each["example"]["id"]) for each in found["items"]] == [(2, ids[1])]
    assert (found["reports"], found["withheld"]) == (2, 1)
    assert (await desk.as_("officer", "GET", f"/groups/{ids[0]}")).status_code == 404
    assert ids[0] not in (await desk.as_("officer", "GET", f"/groups/{ids[1]}")).text
    done = await desk.as_("officer", "POST", "/groups/triage", {"reports": ids, "deed": "acknowledgement"})
    assert [each["status"] for each in done.json()["results"]] == [403, 200, 200]
    assert (await desk.as_("officer", "POST", f"/{ids[0]}/apart")).json()["code"] == "excluded"
    assert (await queue(desk, who="second_officer"))["items"][0]["count"] == 1


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("triage", {"reports": [], "deed": "acknowledgement"}, "out-of-range"),
    ("triage", {"reports": ["x"], "deed": "acknowledgement"}, "wrong-type"),
    ("triage", {"reports": [str(uuid.UUID(int=7))] * 2, "deed": "acknowledgement"}, "out-of-range"),
    ("triage", {"reports": [str(uuid.UUID(int=n)) for n in range(501)], "deed": "acknowledgement"}, "out-of-range"),
    ("triage", {"reports": [str(uuid.UUID(int=7))], "deed": "triage"}, "missing"),
    ("triage", {"reports": [str(uuid.UUID(int=7))], "deed": "dismissal"}, "missing"),
    ("triage", {"reports": [str(uuid.UUID(int=7))], "deed": "burn"}, "out-of-range"),
    ("dismissal/approval", {"reports": [str(uuid.UUID(int=7))], "reason": "boring"}, "out-of-range"),
]


@aio
@pytest.mark.parametrize(("path", "body", "code"), WRONG, ids=lambda each: str(each)[:40])
async def test_what_names_no_reports_and_no_deed_is_told_so(desk: Desk, path: str, body: dict[str, Any], code: str):
    answer = await desk.as_("officer", "POST", f"/groups/{path}", body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)


@aio
async def test_only_who_works_on_reports_sees_groups(desk: Desk):
    for method, path, body in (
        ("GET", "/groups", None),
        ("GET", f"/groups/{uuid.uuid4()}", None),
        ("POST", "/groups/triage", {"reports": [str(uuid.uuid4())], "deed": "acknowledgement"}),
        ("POST", f"/{uuid.uuid4()}/apart", None),
    ):
        answer = await desk.as_("admin", method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "out-of-scope")


@aio
async def test_a_sketch_is_of_one_size_and_another_associations_key_makes_another(desk: Desk):
    own = desk.world.association.cabinet.pepper.hash
    short, long = sketch("ا" * 20, own), sketch(" ".join(PEOPLE) * 20, own)
    assert len(short) == len(long)
    assert sketch(PEOPLE[0], own) != sketch(PEOPLE[0], lambda kind, text: own(f"{kind}2", text))
    assert sketch("إعلانٌ ـ رقم ١٢", own) == sketch("اعلان  رقم 99", own), "vowel signs, letters of one sound and numbers are one"


def test_signs_that_are_many_letters_make_no_more_work_than_letters_do():
    pieces = []

    def count(_kind: str, piece: str) -> bytes:
        pieces.append(piece)
        return hashlib.sha256(piece.encode()).digest()

    sketch("".join(f"\ufdfa{chr(0x0621 + number % 10)}{number}" for number in range(5000)), count)
    assert len(pieces) <= likeness.LONGEST


@aio
async def test_the_sketch_goes_once_somebody_has_looked(desk: Desk):
    ids, facts = await alike(desk, 3), known(desk).values()
    assert all(fact.likeness for fact in facts)
    await desk.as_("officer", "POST", f"/{ids[0]}/acknowledgement")
    await desk.as_("officer", "POST", f"/{ids[1]}/triage", {"finding": "breach"})
    assert Counter(bool(fact.likeness) for fact in known(desk).values()) == {False: 2, True: 1}


def test_texts_of_one_matter_have_little_in_common_and_of_one_form_much():
    def plain(_kind: str, piece: str) -> bytes:
        return hashlib.sha256(piece.encode()).digest()

    def read(text: str) -> frozenset[int]:
        return frozenset(unpack(f">{likeness.KEPT}I", b64decode(sketch(text, plain)))) - {0}

    rng = random.Random(5)
    made = [read(machine(rng)) for _ in range(200)]
    people = [read(text) for text in PEOPLE]
    assert max(in_common(one, other) for one in people for other in [*made, *people] if one is not other) < likeness.ALIKE - 0.1
    assert in_common(frozenset(), frozenset()) == 0


def test_no_crowd_of_unlike_reports_makes_grouping_slow_to_end():
    facts = [fact_of(number) for number in range(3000)]
    assert sum(len(group.members) for group in groups(facts)) == 3000
    assert len(groups(facts)) > 2900


def fact_of(number: int) -> ReportFact:
    """A report of letters that mean nothing."""
    rng = random.Random(number)
    text = "".join(rng.choice("ابتثجحخدذرزسش ") for _ in range(200))
    drawn = sketch(text, lambda _kind, piece: hashlib.sha256(piece.encode()).digest())
    told: dict[str, Any] = {"state": "received", "language": "ar", "category": "other", "receipt": "", "parts": ()}
    return ReportFact(id=f"{number:032x}", reference=f"BR-2026-{number:06}", received_at=number, likeness=drawn, **told)


@aio
async def test_deeds_go_few_at_a_time(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(many, "TOGETHER", 2)
    ids = await alike(desk, 6)
    done = (await desk.as_("officer", "POST", "/groups/triage", {"reports": ids, "deed": "acknowledgement"})).json()["results"]
    assert [each["id"] for each in done] == ids


@aio
async def test_a_page_of_groups_goes_on_behind_one_that_was_looked_at_meanwhile_and_leaves_none_out(desk: Desk):
    await alike(desk, 3)
    await taken(desk, PEOPLE[2], seen="trap")
    await taken(desk, PEOPLE[1])
    alone, many_, own = [each["example"]["id"] for each in (await queue(desk))["items"]]
    assert (await desk.as_("officer", "POST", f"/{alone}/acknowledgement")).status_code == 200
    rest = await queue(desk, f"?limit=1&after={alone}")
    assert ([each["example"]["id"] for each in rest["items"]], rest["next"]) == ([many_], many_)
    assert (await desk.as_("officer", "POST", f"/{many_}/acknowledgement")).status_code == 200
    rest = await queue(desk, f"?after={many_}")
    assert [each["count"] for each in rest["items"]] == [2, 1], "the group it was of, and all behind"
    assert rest["items"][1]["example"]["id"] == own
    assert (await queue(desk, f"?state=quarantined&after={alone}"))["items"][0]["example"]["id"] == own


@aio
async def test_a_page_goes_on_behind_the_group_that_took_its_example_in(desk: Desk):
    """Whoever was kept from the oldest report of a group until it was settled saw the second as the example."""
    ids = await alike(desk, 3)
    assert (await queue(desk, f"?after={ids[1]}"))["items"] == []
