"""Steps 5 and 6 of the story: sharing with a partner, and a court's order; what leaves is sealed for one recipient.

Invariant: the private keys of partner and court are made here and stay in the demonstration's own folder, as they would with them.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vault.demo.scene import ARTICLES, Scene, approving, consent, made, now, signed_in
from vault.demo.telling import EntryTold, Line, Request, Teller, Told, short
from vault.demo.vault_process import NotServing, said

PARTNER, OTHER, COURT = "partner-a", "partner-b", "court"
SHARED = ("full_name", "mobile")
ORDERED = ("full_name", "iban", "mobile")
_NAMES = {
    PARTNER: {"ar": "جمعية شريكة (أ)", "en": "Partner association A"},
    OTHER: {"ar": "جمعية شريكة (ب)", "en": "Partner association B"},
    COURT: {"ar": "المحكمة العامة", "en": "General court"},
}
_DAY = 86_400


def sharing(teller: Teller, scene: Scene) -> None:
    """Step 5: no sharing on an electronic consent, sharing with the partner a signed and verified form names, and with no other."""
    for code in (PARTNER, OTHER):
        _registered(teller, scene, code, "partner")
    article = ARTICLES["partner_sharing"]
    teller.ask(
        Line("توافق بنقرة على مشاركة بياناتها مع الشريك (أ).", "With a click she agrees to sharing with partner A."),
        consent(teller, scene, "partner_sharing", SHARED, to=PARTNER),
        Told(status=201, entry=EntryTold(kind="consent.granted")),
        scene.record,
    )
    refused = EntryTold(kind="decision", outcome="refuse", reason="EVIDENCE_INSUFFICIENT")
    teller.ask(
        Line("هل تكفي النقرة؟ لا: المشاركة تلزمها موافقة خطية.", "Is a click enough? No: sharing takes consent in writing."),
        _may_share(scene, PARTNER),
        Told(status=200, decision="deny", code="EVIDENCE_INSUFFICIENT", article=article, entry=refused),
        scene.record,
    )
    granted = teller.ask(
        Line(
            "توقّع نموذجًا ورقيًا يسمّي الشريك (أ)، ويدوّنه مسؤول الالتزام.",
            "She signs a paper form that names partner A, and the officer takes it down.",
        ),
        consent(teller, scene, "partner_sharing", SHARED, form="written", to=PARTNER),
        Told(status=201, entry=EntryTold(kind="consent.granted")),
        scene.record,
    )
    _verified(teller, scene, made(granted))
    teller.ask(
        Line("الآن يُسمح بالمشاركة مع الشريك (أ).", "Now sharing with partner A is permitted."),
        _may_share(scene, PARTNER),
        Told(
            status=200,
            decision="permit",
            code="CONSENT_OK",
            article=article,
            basis="written_consent",
            fields=SHARED,
            entry=EntryTold(kind="decision"),
        ),
        scene.record,
    )
    other = EntryTold(kind="decision", outcome="refuse", reason="RECIPIENT_NOT_COVERED")
    teller.ask(
        Line("ولا يُسمح بها مع الشريك (ب)، فالنموذج لم يسمّه.", "With partner B it is not: the form does not name it."),
        _may_share(scene, OTHER),
        Told(status=200, decision="deny", code="RECIPIENT_NOT_COVERED", article=article, entry=other),
        scene.record,
    )


def order(teller: Teller, scene: Scene) -> None:
    """Step 6: a court's order for three fields, approved by another; a fourth is refused, and the court alone opens the package."""
    key = _registered(teller, scene, COURT, "authority")
    ordered = _ordered(teller, scene)
    asked = (*ORDERED, "email")
    disclosure = teller.ask(
        Line(
            "تُطلب أربعة حقول والأمر بثلاثة: يُرفض الرابع وحده.", "Four fields are asked for, the order names three: the fourth is refused."
        ),
        Request(
            "POST",
            "/v1/disclosures",
            {
                "basis": "order",
                "order": ordered,
                "recipient": COURT,
                "records": [scene.record],
                "fields": list(asked),
                "purpose": "legal_order",
            },
            token=signed_in(teller, scene, "officer"),
        ),
        Told(status=201),
    )
    granted = [(each["record"], tuple(sorted(each["fields"]))) for each in disclosure.json.get("granted", ())]
    refused = [(each["field"], each["code"], each["article"]) for each in disclosure.json.get("refused", ())]
    teller.show(f"granted {', '.join(name for _, names in granted for name in names)} · refused {refused}")
    right = granted == [(scene.record, ORDERED)] and refused == [("email", "order-scope", ARTICLES["legal_order"])]
    teller.check("" if right else f"disclosure: granted {granted}, refused {refused}")
    path = f"/v1/disclosures/{made(disclosure)}"
    teller.ask(
        Line("يعتمد الإفصاحَ مسؤولٌ آخر.", "Another officer approves the disclosure."),
        Request("POST", f"{path}/approval", {}, token=approving(teller, scene, "second_officer")),
        Told(status=200),
    )
    package = teller.ask(
        Line(
            "عند التسليم يُتخذ القرار من جديد، ثم يُكتب القيد، ثم تُختم الحزمة لمفتاح المحكمة.",
            "At release the decision is taken again, the entry written, and the package sealed for the court's key.",
        ),
        Request("GET", f"{path}/package", token=signed_in(teller, scene, "officer")),
        Told(status=200, entry=EntryTold(kind="disclose")),
        scene.record,
    )
    _opened_by_the_court_alone(teller, scene, package.body, key)


def _registered(teller: Teller, scene: Scene, code: str, kind: str) -> Path:
    """Register a party outside the house with a key of its own, confirmed by a second person; the file of its private key."""
    key = scene.vault.folder.parent / f"{code}.key"
    made_key = scene.vault.run("package", "keygen", str(key))
    if made_key.returncode:
        raise NotServing(said(made_key))
    teller.ask(
        Line(f"يسجّل مسؤول الالتزام الجهة «{_NAMES[code]['ar']}» بمفتاحها.", f"The officer registers {_NAMES[code]['en']} with its key."),
        Request(
            "PUT",
            f"/v1/recipients/{code}",
            {"name": _NAMES[code], "kind": kind, "country": "SA", "key": json.loads(made_key.stdout)},
            token=signed_in(teller, scene, "officer"),
        ),
        Told(status=201),
    )
    teller.ask(
        Line(
            "يؤكد شخص ثانٍ بصمة المفتاح بعد مقابلتها خارج النظام.", "A second person confirms the key's fingerprint, compared out of band."
        ),
        Request("POST", f"/v1/recipients/{code}/key-confirmation", {}, token=approving(teller, scene, "second_officer")),
        Told(status=200),
    )
    return key


def _verified(teller: Teller, scene: Scene, granted: str) -> None:
    request = {"result": "verified", "sighted": "original"}
    path = f"/v1/consents/{granted}/verification"
    teller.ask(
        Line("من دوّن النموذج لا يتحقق منه.", "Who took the form down does not verify it."),
        Request("POST", path, request, token=signed_in(teller, scene, "officer")),
        Told(status=403, code="same-person"),
    )
    teller.ask(
        Line("يطّلع مسؤول ثانٍ على الأصل ويتحقق منه.", "A second officer sees the original and verifies it."),
        Request("POST", path, request, token=signed_in(teller, scene, "second_officer")),
        Told(status=201, entry=EntryTold(kind="consent.verified")),
        scene.record,
    )


def _may_share(scene: Scene, recipient: str) -> Request:
    question = {"record": scene.record, "action": "disclose", "purpose": "partner_sharing", "recipient": recipient}
    return Request("POST", "/v1/decisions", {**question, "fields": list(SHARED)})


def _ordered(teller: Teller, scene: Scene) -> str:
    """The id of an order that one officer registered and another approved."""
    body: dict[str, Any] = {
        "authority": "المحكمة العامة",
        "kind": "judicial",
        "number": "47/112",
        "issued_on": now()[:10],
        "recipient": COURT,
        "records": [scene.record],
        "fields": list(ORDERED),
        "valid_from": now(-60),
        "valid_to": now(_DAY),
        "document_sha256": "cd" * 32,
    }
    registered = teller.ask(
        Line("يرد أمر من المحكمة بثلاثة حقول فيُسجَّل.", "A court's order for three fields comes in and is registered."),
        Request("POST", "/v1/orders", body, token=signed_in(teller, scene, "officer")),
        Told(status=201),
    )
    path = f"/v1/orders/{made(registered)}/approval"
    teller.ask(
        Line("من سجّل الأمر لا يعتمده.", "Who registered the order does not approve it."),
        Request("POST", path, {}, token=approving(teller, scene, "officer")),
        Told(status=403, code="same-person"),
    )
    teller.ask(
        Line("يعتمده مسؤول آخر.", "Another officer approves it."),
        Request("POST", path, {}, token=approving(teller, scene, "second_officer")),
        Told(status=200),
    )
    return made(registered)


def _opened_by_the_court_alone(teller: Teller, scene: Scene, package: bytes, key: Path) -> None:
    """The package opens with the court's key and shows what was ordered; with a partner's it does not."""
    file = scene.vault.folder.parent / "court.package"
    file.write_bytes(package)
    teller.say(Line("يفتح الحزمة مفتاح المحكمة وحده.", "The court's key opens the package, and no other does."))
    opened = scene.vault.run("package", "open", str(file), "--key", str(key))
    teller.show(f"$ amanah package open {file.name} --key {key.name}", "cyan")
    teller.show(f"→ exit {opened.returncode}", "green" if opened.returncode == 0 else "yellow")
    values = values_in(opened.stdout)
    teller.show(short(json.dumps(values, ensure_ascii=False)))
    right = opened.returncode == 0 and sorted(values) == sorted(ORDERED) and values.get("full_name") == scene.widow["full_name"]
    teller.check("" if right else f"the court's package: exit {opened.returncode}, fields {sorted(values)}")
    foreign = key.with_name(f"{PARTNER}.key")
    other = scene.vault.run("package", "open", str(file), "--key", str(foreign))
    teller.show(f"$ amanah package open {file.name} --key {foreign.name}", "cyan")
    teller.show(f"→ exit {other.returncode}", "yellow")
    teller.check("" if other.returncode == 1 and not other.stdout else f"the partner's key on the court's package: exit {other.returncode}")


def values_in(opened: bytes) -> dict[str, Any]:
    """The one record's fields in an opened package; empty where it is none."""
    try:
        records: Sequence[dict[str, Any]] = json.loads(opened)["records"]
        return dict(records[0]["fields"])
    except (ValueError, KeyError, IndexError, TypeError):
        return {}
