"""`amanah reports`: the officer's work on reports and incidents, signed in as herself at the running service; tables a tired person reads.

Invariants: the command holds no key and reads no database; each look and deed is a call, and so an entry; what somebody wrote comes from a
file or the keyboard and never from an argument, and none of it is a word to the terminal.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode

import rich_click as click

from vault.access.incident_bundle import checked
from vault.access.proof_bundle import MOST_BYTES, ProofRefused
from vault.calling import Person, Service
from vault.commands import Failed, address_of, guarded, typed
from vault.errors import NotFound, VaultError
from vault.reports_tables import Printer
from vault.settings import read
from vault.web.call import parse_id
from vault.web.problems import SENTENCES

PAGE: Final = 500
MOST: Final = 5_000
REPORTS: Final = "/v1/breach-reports"
INCIDENTS: Final = "/v1/incidents"
INCIDENT: Final = "IN-"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Desk:
    """The service, the person signed in at it, and how what it says is printed."""

    service: Service
    person: Person
    printer: Printer

    @contextmanager
    def open(self) -> Iterator[Service]:
        """Signed in, and out again at the end."""
        with self.service.session(self.person):
            yield self.service


def at_desk(command: Callable[..., None]) -> Callable[..., None]:
    """A command that asks the running service as a person, with the options every such command has."""

    @guarded
    def seated(*, sign_in_file: Path | None, server: str | None, language: Literal["ar", "en"], as_json: bool, **given: Any) -> None:  # noqa: ANN401 - each command's own
        service = Service(server or address_of(read({})))
        command(Desk(service, Person.from_file(sign_in_file, typed), Printer(language, as_json)), **given)

    seated.__name__, seated.__doc__ = command.__name__, command.__doc__
    lines = "a file or descriptor with user name, password and one-time code, a line each; what it lacks is asked for"
    for option in (
        click.option("--json", "as_json", is_flag=True, help="what the service said, instead of a table"),
        click.option(
            "--lang", "language", type=click.Choice(["ar", "en"]), default="en", show_default=True, help="the language of what is said"
        ),
        click.option("--sign-in-file", metavar="F", type=click.Path(path_type=Path), help=lines),
        click.option("--server", metavar="URL", help="the running service; default this machine and the port of the settings"),
    ):
        seated = option(seated)
    return seated


@click.group()
def reports() -> None:
    """Breach reports and incidents, worked on by an officer who signs in; each look is an entry of the access log."""


@reports.command()
@at_desk
def queue(desk: Desk) -> None:
    """What waits: incidents and reports, the least time left first."""
    with desk.open() as service:
        incidents = _every(service, f"{INCIDENTS}?state=open")
        every = _every(service, REPORTS)
    desk.printer.queue(incidents, every)


@reports.command()
@click.argument("which", metavar="REFERENCE")
@at_desk
def show(desk: Desk, which: str) -> None:
    """All of a report (BR-…) or an incident (IN-…), by its reference or id."""
    with desk.open() as service:
        told, is_incident = _whole(service, which)
    desk.printer.whole(told, is_incident=is_incident)


@reports.command()
@click.argument("which", metavar="REPORT")
@at_desk
def acknowledge(desk: Desk, which: str) -> None:
    """Say that somebody looks at a report; it leaves quarantine by that."""
    with desk.open() as service:
        told = service.call("POST", f"{_path(service, which)}/acknowledgement")
    desk.printer.stands(told, which)


@reports.command()
@click.argument("which", metavar="REPORT")
@click.option(
    "--finding", type=click.Choice(["breach", "no_breach"]), required=True, help="whether it is or may be a breach of personal data"
)
@click.option("--aware-at", metavar="TIME", help="where the association knew of it before it arrived, such as 2026-01-31T00:00:00Z")
@click.option("--note-file", type=click.Path(path_type=Path, dir_okay=False), help="a note for the officers, plain text in UTF-8")
@at_desk
def triage(desk: Desk, which: str, finding: str, aware_at: str | None, note_file: Path | None) -> None:
    """Judge whether a report is or may be a breach of personal data."""
    body = {"finding": finding, "note": "" if note_file is None else _text(note_file), **({"aware_at": aware_at} if aware_at else {})}
    with desk.open() as service:
        told = service.call("POST", f"{_path(service, which)}/triage", body)
    desk.printer.stands(told, which)


@reports.command()
@click.argument("which", metavar="REPORT")
@click.option("--text-file", type=click.Path(path_type=Path, dir_okay=False), help="the answer, plain text in UTF-8; else it is typed")
@at_desk
def reply(desk: Desk, which: str, text_file: Path | None) -> None:
    """Answer the reporter, who reads it with the receipt."""
    text = typed("Reply", False) if text_file is None else _text(text_file)  # noqa: FBT003 - the shape of `Ask`
    with desk.open() as service:
        told = service.call("POST", f"{_path(service, which)}/reply", {"text": text})
    desk.printer.said(told, "replied", reference=which)


@reports.command()
@click.argument("incident", metavar="INCIDENT")
@click.argument("report", metavar="REPORT")
@at_desk
def link(desk: Desk, incident: str, report: str) -> None:
    """Link a report to an incident: its clock is the incident's from then on."""
    with desk.open() as service:
        meant = _path(service, report).rpartition("/")[2]
        told = service.call("POST", f"{_path(service, incident, INCIDENTS)}/link", {"report": meant})
    desk.printer.said(told, "joined", report=report, reference=told["reference"])


@reports.command()
@click.option("--year", type=click.IntRange(2020, 2100), help="the year of the half that is meant; else the last that is over")
@click.option("--half", type=click.IntRange(1, 2), help="which half of it")
@at_desk
def statistics(desk: Desk, **asked: int | None) -> None:
    """Count the reports of half a year, without the small numbers."""
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    with desk.open() as service:
        told = service.call("GET", f"{REPORTS}/statistics{f'?{query}' if query else ''}")
    desk.printer.statistics(told)


@reports.command()
@click.argument("incident", metavar="INCIDENT")
@click.option("--to", "file", type=click.Path(path_type=Path, dir_okay=False), required=True, help="a new file, for its owner alone")
@at_desk
def export(desk: Desk, incident: str, file: Path) -> None:
    """Keep an incident as one signed file for an authority or an auditor; nothing of its reporters is in it."""
    if file.exists():
        raise Failed(f"{file.name} is there already; nothing is written over")
    with desk.open() as service:
        content = service.fetch("GET", f"{_path(service, incident, INCIDENTS)}/export")
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(content)
    desk.printer.said({"file": str(file), "bytes": len(content)}, "exported", file=str(file), reference=incident)


@reports.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--vkey", metavar="KEY", required=True, help="the key the association signs with, as it told it over another channel")
@click.option("--lang", "language", type=click.Choice(["ar", "en"]), default="en", show_default=True, help="the language of what is said")
def check(file: Path, vkey: str, language: Literal["ar", "en"]) -> None:
    """Check an exported file without a vault: whole, signed by that key, its evidence in the log; exit 1 where it is not."""
    try:
        with file.open("rb") as content:
            found = checked(content.read(4 * MOST_BYTES + 1), vkey)
    except ProofRefused as refused:
        said = SENTENCES[refused.code].say.in_language(language)
        click.echo(f"amanah: {refused.code}: {said}{f' ({refused.file})' if refused.file else ''}", err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(f"amanah: {type(error).__name__}: {error.filename or error}", err=True)
        sys.exit(1)
    Printer(language, as_json=False).checked(found)


def _every(service: Service, path: str) -> Json:
    """All pages of a list, at most so many items; what the last page told beside them."""
    items: list[Json] = []
    after, joint = "", "&" if "?" in path else "?"
    while True:
        page = service.call("GET", f"{path}{joint}limit={PAGE}{after}")
        items += page["items"]
        if page["next"] is None or len(items) >= MOST:
            return {**page, "items": items}
        after = f"&after={quote(page['next'])}"


def _whole(service: Service, which: str) -> tuple[Json, bool]:
    """All of a report or an incident, and whether it is one: an id alone does not say which. Raises VaultError."""
    path = _path(service, which)
    try:
        return service.call("GET", path), path.startswith(INCIDENTS)
    except VaultError as error:
        if error.code != NotFound.code or path.startswith(INCIDENTS):
            raise
        return service.call("GET", _path(service, which, INCIDENTS)), True


def _path(service: Service, which: str, place: str = "") -> str:
    """The path of a report or incident named by reference or id. Raises NotFound."""
    place = place or (INCIDENTS if which.startswith(INCIDENT) else REPORTS)
    try:
        parse_id(which)
    except NotFound:
        lists = [f"{INCIDENTS}?state=all"] if place == INCIDENTS else [REPORTS, f"{REPORTS}?state=quarantined"]
        found = [each["id"] for path in lists for each in _every(service, path)["items"] if each["reference"] == which]
        if not found:
            raise
        return f"{place}/{found[0]}"
    return f"{place}/{which}"


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise VaultError("file-unreadable") from None
