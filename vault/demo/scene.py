"""What the steps of the story share: the widow, her record, the vault she is kept in, and who may be asked to sign in."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vault.demo.client import Answer, Authenticator
from vault.demo.household import Fields
from vault.demo.numbers import Numbers
from vault.demo.telling import Line, Request, Teller, Told, short
from vault.demo.vault_process import VaultProcess

_LINES_SHOWN = 3

ARTICLES: Mapping[str, str] = {
    "service_delivery": "cooperative:6.1",
    "sms_offers": "cooperative:6.4",
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

    @property
    def earlier(self) -> VaultProcess:
        """The vault as it was just before her withdrawal: a thief's copy, there once step 4 is told."""
        return VaultProcess(self.vault.folder.parent / "earlier", self.vault.root_key)

    def read(self, fields: Sequence[str], purpose: str = "service_delivery") -> Request:
        """The request that reads these fields of the widow's record."""
        return Request("GET", f"/v1/records/{self.record}?purpose={purpose}&fields={','.join(fields)}")

    def may_text(self) -> Request:
        """The question whether an offer may be sent to the widow's mobile."""
        return Request(
            "POST",
            "/v1/decisions",
            {"record": self.record, "action": "contact", "purpose": "sms_offers", "recipient": "INTERNAL", "fields": ["mobile"]},
        )


def consent(teller: Teller, scene: Scene, purpose: str, fields: Sequence[str], *, explicit: bool) -> Request:
    """The request that records the widow's electronic consent after the current notice was shown to her.

    The notice is fetched first, since a consent names the text it was given to by its SHA-256.
    """
    notice = teller.ask(
        Line("يُعرض عليها إشعار الخصوصية النافذ لهذا الغرض.", "She is shown the privacy notice in force for this purpose."),
        Request("GET", f"/v1/notices/current?purpose={purpose}"),
        Told(status=200),
    )
    shown = notice.json.get("texts", {}).get("ar", {})
    for line in [line for line in str(shown.get("text", "")).splitlines() if line.strip()][:_LINES_SHOWN]:
        teller.show(f"  «{short(line)}»")
    at = now()
    return Request(
        "POST",
        f"/v1/records/{scene.record}/consents",
        {
            "purpose": purpose,
            "fields": list(fields),
            "form": "electronic",
            "explicit": explicit,
            "notice": {"id": notice.json.get("id"), "version": notice.json.get("version"), "language": "ar", "sha256": shown.get("sha256")},
            "given_by": "self",
            "indicated_at": at,
            "evidence": electronic_evidence(str(shown.get("sha256")), at),
        },
    )


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


def now() -> str:
    """The present moment, RFC 3339 UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def made(answer: Answer) -> str:
    """The id an answer gives, empty where it gives none."""
    return str(answer.json.get("id", ""))
