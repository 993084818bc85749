"""`amanah demo --serve`: says loudly what it is, how to sign in and what to paste, and stays until it is interrupted.

Invariant: everything printed works as printed; nothing here is fit for a real person's data, and it says so first.
"""

import json
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from vault.demo.client import STEP_SECONDS, Client, one_time_code
from vault.demo.household import Fields
from vault.demo.scene import electronic_evidence, now
from vault.demo.vault_process import NotServing, VaultProcess

_AGREED = ("full_name", "national_id", "mobile")
_LOUD = """\
هذا عرض تجريبي: كل من فيه مختلَق، ومفتاح الجذر بجانب البيانات،
ويُمحى كل شيء عند الإيقاف. لا تُدخل فيه بيانات إنسان حقيقي.

THIS IS A DEMONSTRATION: everybody in it is invented,
the root key lies beside the data, and all of it is deleted
when you stop it. Do not enter a real person's data."""


def keep_open(console: Console, vault: VaultProcess, client: Client, secrets: Mapping[str, Any], people: tuple[Fields, str]) -> int:
    """Store one more person who has agreed, print the way in, and wait for the server's end.

    `people` are the fields of that person, and a free identity number for the reader to store somebody with.
    """
    fields, national_id = people
    record = _agreed(client, fields)
    _print_way_in(console, vault.port, secrets, commands(vault.port, str(secrets["api_key"]), record, national_id))
    if vault.process is None:
        return 1
    status = vault.process.wait()
    console.print(Text(f"الخادم توقف · the server ended with {status}", style="bold red"))
    return 1


def commands(port: int, key: str, record: str, national_id: str) -> list[str]:
    """Three curl lines that work when pasted: store somebody, read somebody who agreed, ask for what nobody agreed to."""
    start = f"curl -s -H 'Authorization: Bearer {key}'"
    store = {"type": "beneficiary", "fields": {"full_name": "هند بنت سعد الصالح", "national_id": national_id, "mobile": "٠٥٥١٢٣٤٥٦٧"}}
    question = {"record": record, "action": "contact", "purpose": "sms_offers", "recipient": "INTERNAL", "fields": ["mobile"]}
    base = f"http://127.0.0.1:{port}/v1"
    return [
        f"{start} -H 'Content-Type: application/json' -d '{json.dumps(store, ensure_ascii=False)}' {base}/records",
        f"{start} '{base}/records/{record}?purpose=service_delivery&fields=full_name,mobile'",
        f"{start} -H 'Content-Type: application/json' -d '{json.dumps(question)}' {base}/decisions",
    ]


def _agreed(client: Client, fields: Fields) -> str:
    """The record of somebody stored here with an electronic registration. Raises NotServing where the vault does not take it."""
    stored = client.call("POST", "/v1/records", {"type": "beneficiary", "fields": fields})
    notice = client.call("GET", "/v1/notices/current?purpose=service_delivery").json
    if stored.status != HTTPStatus.CREATED or "texts" not in notice:
        raise NotServing(stored.text)
    record, sha256, at = str(stored.json["id"]), str(notice["texts"]["ar"]["sha256"]), now()
    body = {
        "purpose": "service_delivery",
        "fields": list(_AGREED),
        "form": "electronic",
        "explicit": False,
        "notice": {"id": notice["id"], "version": notice["version"], "language": "ar", "sha256": sha256},
        "given_by": "self",
        "indicated_at": at,
        "evidence": electronic_evidence(sha256, at),
    }
    agreed = client.call("POST", f"/v1/records/{record}/consents", body)
    if agreed.status != HTTPStatus.CREATED:
        raise NotServing(agreed.text)
    return record


def _print_way_in(console: Console, port: int, secrets: Mapping[str, Any], lines: Sequence[str]) -> None:
    console.print(Panel(Text(_LOUD, justify="center"), style="bold red", title="DEMO · عرض تجريبي"), soft_wrap=False)
    _plain(console, f"العنوان · address    http://127.0.0.1:{port}")
    _plain(console, f"مفتاح النظام · API key    {secrets['api_key']}\n")
    _plain(console, "الدخول · logins (POST /v1/sessions)")
    step = int(time.time() // STEP_SECONDS)
    for who, login in secrets["staff"].items():
        _plain(console, f"  {who}")
        _plain(console, f"    username     {login['username']}")
        _plain(console, f"    password     {login['password']}")
        _plain(console, f"    totp_secret  {login['totp_secret']}    code now: {one_time_code(login['totp_secret'], step)}")
    _plain(console, "\nجرّب · try: store, read what was agreed to, ask for what was not\n")
    for line in lines:
        _plain(console, line + "\n")
    _plain(console, "Ctrl-C للإيقاف والمحو · stops and deletes")


def _plain(console: Console, text: str) -> None:
    # No wrapping and no markup: whoever copies a line gets the line.
    console.print(Text(text), soft_wrap=True)
