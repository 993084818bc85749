"""Evidence on an incident's pages: saved out of the access log, its people read, and held against the log again."""

import re
import uuid

import pytest
import sqlalchemy

from tests.access.test_incident_evidence import two_read
from tests.officer.browser import Window, text_of
from tests.officer.test_incidents import opened
from vault.breach_reports import incidents
from vault.officer.evidence import PATH, PEOPLE
from vault.rulebook.asker import Errand
from vault.web.call import write_id

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def asked(window: Window) -> tuple[str, dict[str, str]]:
    """The id of an incident, and the form that asks what the association's system touched today."""
    kept = await two_read(window.world)
    await window.sign_in()
    _, incident = await opened(window)
    assert len(kept) == 2
    system = await window.world.system()
    form = {"act": "save", "incident": write_id(incident), "actor": f"client:{uuid.UUID(system.id)}"}
    return write_id(incident), {**form, "since": "2026-01-01T02:59", "until": "2026-01-01T03:00"}


async def test_what_somebody_touched_is_saved_read_by_people_and_held_against_the_log(window: Window):
    incident, form = await asked(window)
    page = await window.get(PATH, incident=incident)
    assert "No evidence has been saved yet." in text_of(page)
    window.world.clock.forward(120)
    later = {**form, "until": "2026-01-01T03:01"}
    done = await window.send(PATH, **later)
    assert (done.status_code, done.headers["location"]) == (303, f"{PATH}?incident={incident}&done=saved&lang=en")
    page = await window.get(PATH, incident=incident, done="saved")
    assert all(words in text_of(page) for words in ("Saved; it is an entry", "People 2", form["actor"], "2026-01-01 02:59"))
    link = re.search(r'href="(/officer/evidence/people\?[^"]+)"', page.text)
    assert link is not None
    piece = link[1].partition("piece=")[2][:36]
    people = await window.get(PEOPLE, incident=incident, piece=piece)
    assert text_of(people).count("Full name") == 2
    assert window.world.entries()[-1].kind == "incident.evidence-read"
    held = await window.send(PATH, act="verify", incident=incident, piece=piece)
    assert (held.status_code, "The log still says so." in text_of(held)) == (200, True)
    with window.world.database.connect() as connection, connection.begin():
        if not window.world.database.is_sqlite:
            connection.execute(sqlalchemy.text("SET LOCAL session_replication_role = 'replica'"))
        changed = "UPDATE access_log_entry SET body = :body WHERE kind = 'record.read'"
        connection.execute(sqlalchemy.text(changed), {"body": b"{}"})
    window.language = "ar"
    assert "غُيّر قيد في السجل منذ حفظه" in text_of(await window.send(PATH, act="verify", incident=incident, piece=piece))


async def test_what_cannot_be_asked_is_said_and_whom_it_excludes_is_refused(small_window: Window):
    window = small_window
    incident, form = await asked(window)
    await window.get(PATH, incident=incident)
    for wrong in ({"actor": "somebody"}, {"since": "yesterday"}, {"until": "2025-12-31T00:00"}):
        answer = await window.send(PATH, **{**form, **wrong})
        assert answer.status_code == 422, wrong
        assert f'value="{form["actor"]}"' in answer.text or "actor" in wrong, "what was typed is kept"
    for broken in ({"act": "drop"}, {"act": "verify", "piece": "x"}, {"incident": "x"}):
        assert (await window.send(PATH, **{**form, **broken})).status_code in (400, 404), broken
    missing = {"incident": incident, "piece": str(uuid.uuid4())}
    assert (await window.get(PEOPLE, **missing)).status_code == 404
    assert (await window.send(PATH, act="verify", **missing)).status_code == 404
    errand = Errand(await window.world.person("officer"), "request-1")
    other = uuid.UUID((await window.world.person("second_officer")).id).bytes
    await window.world.association.run(lambda deed: incidents.exclude(deed, errand, uuid.UUID(incident).bytes, other))
    await window.sign_in("second_officer")
    for answer in (await window.get(PATH, incident=incident), await window.get(PEOPLE, **missing), await window.send(PATH, **form)):
        assert (answer.status_code, form["actor"] in answer.text) == (403, False)
