"""Step 10 of the story: the person asks for erasure; nothing opens from that second, and the log still verifies."""

from vault.demo.log_story import log_verify
from vault.demo.scene import Scene, approving, made, signed_in
from vault.demo.sharing_story import COURT
from vault.demo.telling import EntryTold, Line, Request, Teller, Told


def erasure(teller: Teller, scene: Scene) -> None:
    """Locked by one, erased by another; the certificate names what is kept, and the person is found no more."""
    asked = teller.ask(
        Line("تطلب إتلاف بياناتها، ويسجّل المسؤول طلبها.", "She asks for her data to be destroyed, and the officer records it."),
        Request(
            "POST",
            f"/v1/records/{scene.record}/erasure",
            {"reason": "طلب صاحبة البيانات", "requested_by": "self"},
            token=signed_in(teller, scene, "officer"),
        ),
        Told(status=202, state="locked", entry=EntryTold(kind="erasure.requested")),
        scene.record,
    )
    teller.ask(
        Line("من هذه الثانية لا يُفتح منها شيء.", "From this second nothing of hers opens."),
        scene.read(("full_name", "mobile")),
        Told(status=403, code="not-permitted", entry=EntryTold(kind="record.read", outcome="refuse", reason="ERASURE_PENDING")),
        scene.record,
    )
    path = f"/v1/erasures/{made(asked)}/approval"
    teller.ask(
        Line("من سجّل الطلب لا يعتمده.", "Who recorded the request does not approve it."),
        Request("POST", path, {}, token=approving(teller, scene, "officer")),
        Told(status=403, code="same-person"),
    )
    approved = teller.ask(
        Line("يعتمده مسؤول ثانٍ: تُتلف المفاتيح وتُحذف الصفوف.", "A second officer approves: keys are destroyed and rows deleted."),
        Request("POST", path, {}, token=approving(teller, scene, "second_officer")),
        Told(status=200),
    )
    _certified(teller, str(approved.json.get("note", "")))
    teller.ask(
        Line("لم يعد لها سجل.", "There is no record of hers any more."),
        scene.read(("full_name", "mobile")),
        Told(status=404, code="not-found"),
    )
    found = teller.ask(
        Line("ولا يجدها البحث برقم هويتها.", "And a search by her identity number does not find her."), scene.find(), Told(status=200)
    )
    teller.check("" if found.json.get("matches") == [] else "the search: it still finds her")
    teller.say(Line("والسجل لا يزال متماسكًا.", "And the log still verifies."))
    log_verify(teller, scene.vault, 0)


def _certified(teller: Teller, note: str) -> None:
    """The certificate's lines that tell what stays, who was given something before, and until when an old copy still opens."""
    told = [line for line in note.splitlines() if line.split(" ")[0] in ("kept", "given", "copy-opens-until-retired")]
    for line in told:
        teller.show(line, "cyan")
    missing = [
        word
        for word in ("kept access_log", "given ", f" {COURT} ", "copy-opens-until-retired epoch")
        if not any(word in one for one in told)
    ]
    teller.check("" if not missing else f"the certificate: it does not say {missing}")
