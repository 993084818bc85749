"""Step 9 of the story: the officer asks who saw the person, verifies the answer offline, and three tampered copies are convicted.

Invariant: whatever is tampered with is a copy in the demonstration's own folder, never the vault that serves.
"""

import base64
import sqlite3
import time
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from uuid import UUID

from vault.demo.client import Answer, Client
from vault.demo.proof import checkpoint, is_in, unhash
from vault.demo.scene import Scene, signed_in
from vault.demo.telling import EntryTold, Line, Request, Teller, Told, entry_line
from vault.demo.vault_process import NotServing, VaultProcess, said

_PATIENCE = 10
LOG_READ = "access_log.read"
_SHOWN = 6


def who_saw(teller: Teller, scene: Scene) -> None:
    """The officer reads the log and the person's report, checks a proof by hand, and meets three intruders."""
    officer = signed_in(teller, scene, "officer")
    _read_the_log(teller, scene, officer)
    _check_a_proof(teller, scene, officer)
    _verify(teller, scene)
    _change_a_byte(teller, scene)
    _delete_the_withdrawal(teller, scene)
    _put_back_the_database(teller, scene)


def _read_the_log(teller: Teller, scene: Scene, officer: str) -> None:
    answer = teller.ask(
        Line("من طلب بياناتها، ولأي غرض، وعلى أي أساس؟", "Who asked for her data, for what, and on what basis?"),
        Request("GET", f"/v1/access-log?record={scene.record}&kind=record.read&limit=50", token=officer),
        Told(status=200, entry=EntryTold(kind=LOG_READ)),
        scene.record,
    )
    items = answer.json.get("items", [])
    values = [item for item in items if item["kind"] == "record.read"]
    for item in values[:_SHOWN]:
        teller.show(entry_line(item))
    outcomes = sorted((item["outcome"], item.get("reason") or "") for item in values)
    expected = [("allow", ""), ("refuse", "FIELDS_NOT_COVERED"), ("refuse", "NO_CONSENT"), ("refuse", "UNKNOWN_PURPOSE")]
    teller.check("" if outcomes == expected else f"her entries: {outcomes}")
    report = teller.ask(
        Line("وتقريرها هي: من اطّلع على بياناتها.", "And her own report: who saw her data."),
        Request("GET", f"/v1/records/{scene.record}/access-report", token=officer),
        Told(status=200),
    )
    iban = str(scene.widow["iban"])
    teller.check("" if "service_delivery" in report.text and iban not in report.text else "her report: no purpose in it, or a value")


def _check_a_proof(teller: Teller, scene: Scene, officer: str) -> None:
    index, leaf = int(scene.allowed.get("index", -1)), str(scene.allowed.get("leaf_hash", ""))
    note = _covering(teller, index, officer)
    size, root = checkpoint(note.text)
    answer = teller.ask(
        Line(
            f"هل قيد فتح بياناتها ({index}) داخل السجل الموقَّع؟ يُطلب البرهان.",
            f"Is the entry that opened her data ({index}) in the signed log? The proof is fetched.",
        ),
        Request("GET", f"/v1/access-log/proofs/inclusion?index={index}&size={size}", token=officer),
        Told(status=200),
    )
    path = [base64.b64decode(text) for text in answer.json.get("hashes", [])]
    holds = is_in(index, unhash(leaf), size, root, path)
    teller.show(f"SHA-256 × {len(path) + 1} → {root.hex()[:16]}… {'=' if holds else '≠'} checkpoint({size})")
    teller.check("" if holds else "inclusion proof: does not lead to the checkpoint's root")


def _covering(teller: Teller, index: int, officer: str) -> Answer:
    """A checkpoint that covers this entry; one is signed at most once a second, so it may take a moment."""
    line = Line("رأس السجل موقَّع، ويحتفظ به من هو خارج الجمعية.", "The log's head is signed, and somebody outside keeps it.")
    until = time.monotonic() + _PATIENCE
    request = Request("GET", "/v1/access-log/checkpoint", token=officer)
    while time.monotonic() < until:
        early = teller.system.call(request.method, request.path, token=officer)
        if early.status != HTTPStatus.OK or checkpoint(early.text)[0] > index:
            break
        time.sleep(0.2)
    answer = teller.ask(line, request, Told(status=200))
    for text in answer.text.splitlines()[:3]:
        teller.show(text)
    return answer


def _verify(teller: Teller, scene: Scene) -> None:
    teller.say(Line("يُتحقق من السجل كله على القرص.", "The whole log is verified on disk."))
    log_verify(teller, scene.vault, 0)


def log_verify(teller: Teller, vault: VaultProcess, told: int, names: int | None = None) -> None:
    """Run `amanah log verify` and hold it to its exit status and to the entry it must name."""
    run = vault.run("log", "verify")
    words = said(run)
    teller.show("$ amanah log verify", "cyan")
    for line in words.splitlines()[:_SHOWN]:
        teller.show(line)
    teller.show(f"→ exit {run.returncode}", "green" if run.returncode == 0 else "yellow")
    named = names is None or str(names) in words.replace(",", " ").replace(":", " ").split()
    teller.check(
        "" if run.returncode == told and named else f"log verify: exit {run.returncode}, told {told}; entry {names} named: {named}"
    )


def _change_a_byte(teller: Teller, scene: Scene) -> None:
    teller.say(
        Line(
            f"في نسخة مسروقة يُغيَّر بايت واحد في القيد {scene.withdrawn_at}، وهو قيد العدول: يُكشف ويُسمّى.",
            f"In a stolen copy one byte of entry {scene.withdrawn_at}, the withdrawal's, is changed: found and named.",
        ),
    )
    copy = scene.vault.copy(scene.vault.folder.parent / "one-byte")
    with closing(sqlite3.connect(copy.database())) as database, database:
        _drop_guards(database)
        (body,) = database.execute("SELECT body FROM access_log_entry WHERE number = ?", (scene.withdrawn_at,)).fetchone()
        changed = body[:-2] + bytes([body[-2] ^ 1]) + body[-1:]
        database.execute("UPDATE access_log_entry SET body = ? WHERE number = ?", (changed, scene.withdrawn_at))
    log_verify(teller, copy, 1, scene.withdrawn_at)


def _delete_the_withdrawal(teller: Teller, scene: Scene) -> None:
    """Every row of the person is put back as it was before the withdrawal; the log alone is left as it is."""
    teller.say(
        Line(
            "وفي نسخة أخرى تُحذف صفوف العدول بلغة SQL ويُعاد ما كان قبلها، ثم يُشغَّل الخادم عليها: لا تعود الموافقة.",
            "In another copy SQL deletes the withdrawal's rows and puts the older ones back; a server started on it gives no consent back.",
        ),
    )
    copy = scene.vault.copy(scene.vault.folder.parent / "deleted")
    changed = put_back(copy.database(), scene.earlier.database(), UUID(scene.subject).bytes)
    teller.show(f"{changed} rows put back · access_log untouched")
    try:
        copy.serve()
        request = scene.may_text()
        with closing(Client(copy.port, teller.system.token)) as client:
            answer = client.call(request.method, request.path, request.body)
    finally:
        copy.stop()
    teller.show(f"{request.method} {request.path}", "cyan")
    teller.show(f"→ {answer.status} {answer.json.get('code') or answer.json.get('decision', '')}", "yellow")
    teller.check(
        "" if (answer.status, answer.json.get("code")) == (503, "integrity") else f"after the deletion: {answer.status} {answer.text[:200]}"
    )


def _put_back_the_database(teller: Teller, scene: Scene) -> None:
    """The whole database as it was before the withdrawal, beside the newer checkpoint: the vault does not open."""
    teller.say(
        Line(
            "وأخيرًا تُعاد قاعدة البيانات كلها إلى ما قبل العدول: رأس السجل المحفوظ خارجها يكشف ذلك ولا يفتح الخادم بابه.",
            "Last, the whole database is put back to before the withdrawal: the head kept outside it tells, and the server does not open.",
        ),
    )
    copy = scene.vault.copy(scene.vault.folder.parent / "older")
    copy.database().write_bytes(scene.earlier.database().read_bytes())
    try:
        copy.serve()
        teller.check("an older database: the server opened on it")
    except NotServing as error:
        teller.show(f"→ {last_words(str(error))}", "yellow")
        teller.check("")
    finally:
        copy.stop()
    log_verify(teller, copy, 1)


def last_words(output: str) -> str:
    """The last line of what a program said that has a word in it, without the frame around it."""
    lines = [line.strip(" \t│╭╮╰╯─") for line in output.splitlines()]
    return next((line for line in reversed(lines) if line), "")


def put_back(database: Path, older: Path, subject: bytes) -> int:
    """Make every row of a person outside the log what it was in an older copy; the number of rows written.

    `subject` is the 16-byte id; the tables are found by their column of that name.
    """
    written = 0
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("ATTACH ? AS older", (str(older),))
        with opened:
            _drop_guards(opened)
            for (table,) in opened.execute(
                "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'access_log%'"
            ).fetchall():
                columns = {row[1] for row in opened.execute(f'PRAGMA main.table_info("{table}")')}
                if "subject" in columns:
                    opened.execute(f'DELETE FROM main."{table}" WHERE subject = ?', (subject,))  # noqa: S608 - names from the schema itself
                    written += opened.execute(
                        f'INSERT INTO main."{table}" SELECT * FROM older."{table}" WHERE subject = ?',  # noqa: S608 - likewise
                        (subject,),
                    ).rowcount
    return written


def _drop_guards(database: sqlite3.Connection) -> None:
    """Drop the triggers that forbid changes, as somebody who owns the file would."""
    for (name,) in database.execute("SELECT name FROM main.sqlite_master WHERE type = 'trigger'").fetchall():
        database.execute(f'DROP TRIGGER main."{name}"')
