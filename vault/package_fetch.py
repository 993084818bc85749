"""`amanah package fetch`: every page of a disclosure's packages into a folder, taken up again where it ended, and a table of what is there.

Invariants: what lies in the folder is sealed as it came; a page that is there and verifies is not fetched again, for each fetch is an entry
about everybody on it; a file is there whole or not at all; the command ends with 0 only where no page is missing.
"""

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import rich_click as click
from rich.console import Console
from rich.table import Table

from keys.age import START as AGE_START
from keys.files import locked, replace
from keys.packages import PackageRefused, read_package, require_standing
from vault.access.paging import MOST_PAGES
from vault.audit_cli import as_seen
from vault.calling import Person, Service
from vault.commands import Failed, address_of, guarded, typed
from vault.errors import NotFound, VaultError
from vault.settings import read
from vault.web.call import parse_id, write_id
from vault.web.paper import read_words
from vault.web.problems import SENTENCES

SUMS: Final = "SHA256SUMS"
NOTHING_GRANTED: Final = "nothing-granted"
OF_ONE_PAGE: Final = frozenset({"decision-stale", NOTHING_GRANTED, "package-too-large"})
"""Why one page does not leave while the next one may."""
_WORDS: Final = read_words("vault", "package_words.toml")
_LARGEST_SUMS: Final = 1 << 20
Language = Literal["ar", "en"]
State = Literal["here", "fetched", "empty", "missing"]


@dataclass(frozen=True, slots=True)
class Page:
    """How one page stands: its file where it is there, else why it is not; how many records left with it, and how many were left out."""

    number: int
    state: State
    file: str = ""
    why: str = ""
    records: int | None = None
    left_out: int | None = None


@dataclass(slots=True)
class Folder:
    """The packages of one disclosure on this disk; `vkey` signed them."""

    path: Path
    disclosure: str
    pages: int
    vkey: str
    _plan: str = ""
    _sums: dict[str, str] = field(default_factory=dict)

    def name(self, number: int) -> str:
        """The file of a page."""
        return f"{self.disclosure}-page-{number:02}-of-{self.pages:02}.package"

    def has(self, number: int) -> bool:
        """Whether the page is there, whole, of this disclosure, signed and in force; one for age only as its noted digest says."""
        file = self.path / self.name(number)
        if not file.is_file():
            return False
        content = file.read_bytes()
        if content.startswith(AGE_START):
            return self._noted().get(file.name) == hashlib.sha256(content).hexdigest()
        if self.fault(number, content):
            return False
        self._note(file.name, content)
        return True

    def keep(self, number: int, content: bytes) -> None:
        """Write a page that came, and note its digest. Raises OSError."""
        replace(self.path / self.name(number), content, 0o600)
        self._note(self.name(number), content)

    def fault(self, number: int, content: bytes) -> str:
        """Why these bytes are not the package of this page, "" where they are; of one for age nothing but its beginning can be seen."""
        if content.startswith(AGE_START):
            return ""
        try:
            found = read_package(content)
            require_standing(found, int(time.time()), self.vkey)
        except PackageRefused as refused:
            return refused.code
        manifest, place = found.manifest, (number, self.pages) if self.pages > 1 else (0, 0)
        if (manifest.disclosure, manifest.page, manifest.pages) != (self.disclosure, *place) or self._plan not in {"", manifest.plan}:
            return "other-page"
        self._plan = manifest.plan
        return ""

    def _noted(self) -> dict[str, str]:
        file = self.path / SUMS
        lines = file.read_bytes()[:_LARGEST_SUMS].decode("utf-8", "replace").splitlines() if file.is_file() else []
        return {name: digest for digest, gap, name in (line.partition("  ") for line in lines) if gap}

    def _note(self, name: str, content: bytes) -> None:
        noted, digest = self._noted(), hashlib.sha256(content).hexdigest()
        if noted.get(name) == digest:
            return
        noted[name] = digest
        replace(self.path / SUMS, "".join(f"{noted[one]}  {one}\n" for one in sorted(noted)).encode(), 0o600)


@click.command()
@click.argument("disclosure", metavar="DISCLOSURE")
@click.option(
    "--folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False), required=True, help="where the packages are kept"
)
@click.option("--vkey", metavar="KEY", help="the key the association signs with; default the one the service tells")
@click.option("--json", "as_json", is_flag=True, help="print what is there as JSON, instead of a table")
@click.option("--lang", "language", type=click.Choice(["ar", "en"]), default="en", show_default=True, help="the language of what is said")
@click.option(
    "--sign-in-file",
    metavar="F",
    type=click.Path(path_type=Path),
    help="a file or descriptor with user name, password and one-time code, a line each; what it lacks is asked for",
)
@click.option("--server", metavar="URL", help="the running service; default this machine and the port of the settings")
@guarded
def fetch(
    disclosure: str, folder: Path, *, vkey: str | None, as_json: bool, language: Language, sign_in_file: Path | None, server: str | None
) -> None:
    """Fetch every page of an approved disclosure that is not in DIR yet, sealed as it is, and say what is there.

    Ends with 1 where a page is missing; the same command goes on where it ended.
    """
    id_ = _id(disclosure)
    service, person = Service(server or address_of(read({}))), Person.from_file(sign_in_file, typed)
    folder.mkdir(mode=0o700, exist_ok=True)
    with locked(folder), service.session(person):
        shown = _told(service, _path(id_), "id", "recipient")
        signed_by = vkey or str(_told(service, "/v1/recipients", "signed_by")["signed_by"])
        there = Folder(folder, id_, _pages(shown.get("pages", 1)), signed_by)
        pages = list(_fetched(service, there))
    _tell(shown, pages, language, as_json=as_json)
    if any(page.state == "missing" for page in pages):
        sys.exit(1)


def _fetched(service: Service, there: Folder) -> Iterator[Page]:
    """Each page in its turn, fetched where it is not there; behind one that failed for a reason of all, nothing more is asked for."""
    stopped = ""
    for number in range(1, there.pages + 1):
        try:
            if not stopped:
                yield _one(service, there, number)
                continue
        except VaultError as error:
            stopped = error.code
        yield Page(number, "here", there.name(number)) if there.has(number) else _missing(number, stopped)


def _one(service: Service, there: Folder, number: int) -> Page:
    state: State = "here"
    if not there.has(number):
        try:
            content = service.fetch("GET", f"{_path(there.disclosure)}/package?page={number}")
        except VaultError as error:
            if error.code not in OF_ONE_PAGE:
                raise
            return Page(number, "empty", why=error.code) if error.code == NOTHING_GRANTED else _missing(number, error.code)
        fault = there.fault(number, content)
        if fault:
            return _missing(number, fault)
        there.keep(number, content)
        state = "fetched"
    told = _told(service, f"{_path(there.disclosure)}?page={number}", "granted")
    left_out = len((told.get("left") or {"left_out": ()})["left_out"])
    return Page(number, state, there.name(number), "", len({one["record"] for one in told["granted"]}) - left_out, left_out)


def _told(service: Service, path: str, *members: str) -> dict[str, Any]:
    """What the service tells there. Raises VaultError `service-unreachable` where it lacks what ours has, and as `Service.call`."""
    told = service.call("GET", path)
    if not told.keys() >= {*members}:
        raise VaultError("service-unreachable")
    return told


def _pages(told: object) -> int:
    """How many pages there are, of as many as there can be: none missing of none would be no answer. Raises VaultError."""
    if type(told) is not int or not 1 <= told <= MOST_PAGES:
        raise VaultError("service-unreachable")
    return told


def _missing(number: int, why: str) -> Page:
    return Page(number, "missing", why=why)


def _id(text: str) -> str:
    """The id of a disclosure as it is written. Raises Failed for what is none."""
    try:
        return write_id(parse_id(text.strip()))
    except NotFound:
        raise Failed("not-found: a disclosure is named by its id") from None


def _path(disclosure: str) -> str:
    return f"/v1/disclosures/{disclosure}"


def _tell(shown: dict[str, Any], pages: list[Page], language: Language, *, as_json: bool) -> None:
    """Print what is there and what is not."""
    missing = [page.number for page in pages if page.state == "missing"]
    if as_json:
        told = {"disclosure": shown["id"], "recipient": shown["recipient"], "pages": list(map(asdict, pages)), "missing": missing}
        click.echo(json.dumps(told, ensure_ascii=False))
        return

    def word(name: str) -> str:
        return _WORDS[name].in_language(language)

    click.echo(word("head").format(disclosure=shown["id"], recipient=shown["recipient"]))
    table = Table(show_lines=False, header_style="bold", pad_edge=False)
    for name in ("page", "state", "records", "left_out", "file"):
        table.add_column(word(name), overflow="fold", no_wrap=name == "page")
    for page in pages:
        state = word(page.state) + (f": {_why(page.why, language)}" if page.why else "")
        counts = ("" if count is None else str(count) for count in (page.records, page.left_out))
        table.add_row(*map(as_seen, (str(page.number), state, *counts, page.file)))
    Console(soft_wrap=False).print(table)
    if missing:
        click.echo(word("some_missing").format(count=len(missing), all=len(pages), numbers=word("comma").join(map(str, missing))))
    else:
        click.echo(word("all_here").format(all=len(pages)))


def _why(code: str, language: Language) -> str:
    """A reason in words: our own, else the title of its problem document."""
    own = _WORDS.get(code.replace("-", "_"))
    if own is not None:
        return own.in_language(language)
    words = SENTENCES.get(code)
    return code if words is None else words.title.in_language(language)
