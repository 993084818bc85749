"""What the steps of the story share: the widow, her record, the vault she is kept in, and the staff who sign in and approve."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from vault.demo.client import Answer, Authenticator
from vault.demo.household import Fields
from vault.demo.numbers import Numbers
from vault.demo.telling import Line, Request, Teller, Told, short
from vault.demo.vault_process import VaultProcess

ASSOCIATION = "demo"
_LINES_SHOWN = 3

ARTICLES: Mapping[str, str] = {
    "service_delivery": "cooperative:6.1",
    "partner_sharing": "cooperative:6.2",
    "sms_offers": "cooperative:6.4",
    "visitor_analytics": "cooperative:6.5",
    "legal_order": "cooperative:4",
    "unknown": "cooperative:1",
}


@dataclass(slots=True)
class Scene:
    """The widow's fields and ids, the vault as a process, the staff's logins and authenticators."""

    vault: VaultProcess
    staff: Mapping[str, Mapping[str, str]]
    widow: Fields
    numbers: Numbers
    authenticators: dict[str, Authenticator]
    record: str = ""
    subject: str = ""
    offers: str = ""
    withdrawn_at: int = -1
    allowed: dict[str, Any] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    approving: set[str] = field(default_factory=set)

    @property
    def earlier(self) -> VaultProcess:
        """The vault as it was just before her withdrawal: a thief's copy, there once step 4 is told."""
        return VaultProcess(self.vault.folder.parent / "earlier", self.vault.root_key)

    def read(self, fields: Sequence[str], purpose: str = "service_delivery") -> Request:
        """The request that reads these fields of the widow's record."""
        return Request("GET", f"/v1/records/{self.record}?purpose={purpose}&fields={','.join(fields)}")

    def find(self, field_: str = "national_id", value: str = "", purpose: str = "intake") -> Request:
        """The search for who has this value, the widow's identity number where none is given."""
        sought = {"type": "beneficiary", "field": field_, "value": value or self.widow["national_id"], "purpose": purpose}
        return Request("POST", "/v1/records/search", sought)

    def may_text(self) -> Request:
        """The question whether an offer may be sent to the widow's mobile."""
        return Request(
            "POST",
            "/v1/decisions",
            {"record": self.record, "action": "contact", "purpose": "sms_offers", "recipient": "INTERNAL", "fields": ["mobile"]},
        )


def consent(
    teller: Teller, scene: Scene, purpose: str, fields: Sequence[str], *, explicit: bool = False, form: str = "electronic", to: str = ""
) -> Request:
    """The request that records the widow's consent after the current notice was shown to her; `to` names a recipient.

    The notice is fetched first, since a consent names the text it was given to by its SHA-256.
    """
    notice = shown_notice(teller, purpose)
    at = now()
    evidence = electronic_evidence(notice["sha256"], at) if form == "electronic" else written_evidence(scene, at)
    return Request(
        "POST",
        f"/v1/records/{scene.record}/consents",
        {
            "purpose": purpose,
            "fields": list(fields),
            "form": form,
            "explicit": explicit,
            "notice": notice,
            "given_by": "self",
            "indicated_at": at,
            "evidence": evidence,
        }
        | ({"recipient": to} if to else {}),
    )


def shown_notice(teller: Teller, purpose: str) -> dict[str, Any]:
    """The notice in force for a purpose, shown to the person, as a consent names it."""
    notice = teller.ask(
        Line("يُعرض إشعار الخصوصية النافذ لهذا الغرض.", "The privacy notice in force for this purpose is shown."),
        Request("GET", f"/v1/notices/current?purpose={purpose}"),
        Told(status=200),
    )
    shown = notice.json.get("texts", {}).get("ar", {})
    for line in [line for line in str(shown.get("text", "")).splitlines() if line.strip()][:_LINES_SHOWN]:
        teller.show(f"  «{short(line)}»")
    return {"id": notice.json.get("id"), "version": notice.json.get("version"), "language": "ar", "sha256": str(shown.get("sha256"))}


def electronic_evidence(sha256: str, at: str) -> dict[str, Any]:
    """What makes a consent electronic: an affirmative act, the text it answered, and how it was known who answered."""
    return {
        "act": "checkbox",
        "text_sha256": sha256,
        "served_at": at,
        "answered_at": at,
        "proof": {"method": "one_time_code", "verified_at": at},
        "asserted_by": "client",
    }


def written_evidence(scene: Scene, at: str) -> dict[str, Any]:
    """What makes a consent written: the signed form, where it is kept, who identified her, and who took it down."""
    return {
        "scan": None,
        "original_kept_at": "خزانة الملفات 4",
        "template": "written-1",
        "signature": "signature",
        "identity_check": "national_id_card",
        "signed_at": at,
        "place": "القصيم",
        "captured_by": scene.staff["officer"]["username"],
    }


def signed_in(teller: Teller, scene: Scene, who: str) -> str:
    """The session's token of a member of staff, who signs in before everybody's eyes the first time she is needed."""
    if who not in scene.sessions:
        login = scene.staff[who]
        answer = teller.ask(
            Line(
                "يدخل مسؤول الالتزام بكلمة المرور ورمز يُستعمل مرة واحدة.",
                "The compliance officer signs in with a password and a one-time code.",
            ),
            Request(
                "POST",
                "/v1/sessions",
                {"username": login["username"], "password": login["password"], "code": scene.authenticators[who].code(time.time())},
                public=True,
            ),
            Told(status=201),
        )
        scene.sessions[who] = str(answer.json.get("token", ""))
    return scene.sessions[who]


def approving(teller: Teller, scene: Scene, who: str) -> str:
    """The session's token of a member of staff who has given a fresh code, so that she approves for five minutes."""
    token = signed_in(teller, scene, who)
    if who not in scene.approving:
        answer = teller.ask(
            Line("رمز جديد يفتح لصاحبه خمس دقائق للاعتماد.", "A fresh code opens five minutes in which its owner approves."),
            Request("POST", "/v1/sessions/current/step-up", {"code": scene.authenticators[who].code(time.time())}, token=token),
            Told(status=200),
        )
        if answer.status == HTTPStatus.OK:
            scene.approving.add(who)
    return token


def now(shift: float = 0) -> str:
    """The present moment or one so many seconds away, RFC 3339 UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + shift))


def made(answer: Answer) -> str:
    """The id an answer gives, empty where it gives none."""
    return str(answer.json.get("id", ""))
