"""Tells the story to whoever reads along: each request, its answer, the article and the entry in the log, and whether they are as told.

Invariants: every expectation is checked, none is left out because another failed; what is not as told is collected and makes the exit code.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from rich.console import Console
from rich.text import Text

from vault.demo.client import Answer, Client

_SECRETS = frozenset({"password", "code", "receipt"})
_LONGEST = 150
_INDENT = "      "


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence in both languages."""

    ar: str
    en: str


@dataclass(frozen=True, slots=True)
class Request:
    """One call: `token` where it is not the system's key, `public` where a stranger asks, `form` where a page's form is sent."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    token: str | None = None
    public: bool = False
    form: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryTold:
    """The entry of the access log an answer must have left: kind, outcome and reason, and whether it names the record asked about."""

    kind: str
    outcome: str = "allow"
    reason: str = ""
    of_record: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the story says of an answer: status, code or reason, article, basis, state, opened or covered fields, fields of a 422."""

    status: int
    code: str = ""
    article: str = ""
    basis: str = ""
    fields: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    decision: str = ""
    state: str = ""
    entry: EntryTold | None = None


def differences(answer: Answer, told: Told) -> list[str]:
    """In what an answer differs from what is told of it; empty where it does not. What is not told is not looked at."""
    said = answer.json
    decision = said.get("decision")
    verdict = decision if isinstance(decision, dict) else said
    found = {
        "status": (answer.status, told.status),
        "code": (said.get("code") or said.get("reason") or "", told.code),
        "article": (article_of(answer), told.article),
        "basis": (verdict.get("basis") or "", told.basis),
        "decision": (decision if isinstance(decision, str) else "", told.decision),
        "state": (said.get("state") or "", told.state),
        "fields": (tuple(sorted(said.get("fields") or said.get("fields_covered") or ())), tuple(sorted(told.fields))),
        "errors": (tuple(sorted(str(each["field"]).rpartition(".")[2] for each in said.get("errors") or ())), tuple(sorted(told.errors))),
    }
    return [f"{name}: {is_!r}, told {should!r}" for name, (is_, should) in found.items() if should and is_ != should]


def entry_differences(entry: Mapping[str, Any] | None, told: EntryTold, answer: Answer, newer_than: int) -> list[str]:
    """In what a log entry differs from what is told: it must be there, newer than those seen before, and the one the answer names."""
    if entry is None or entry["index"] <= newer_than:
        return [f"entry: none of kind {told.kind}"]
    found = {
        "outcome": (entry["outcome"], told.outcome),
        "reason": (entry.get("reason") or "", told.reason),
        "leaf hash": (entry["leaf_hash"], named_leaf(answer) or entry["leaf_hash"]),
    }
    return [f"entry {entry['index']} {name}: {is_!r}, told {should!r}" for name, (is_, should) in found.items() if is_ != should]


def article_of(answer: Answer) -> str:
    """The article an answer cites, empty where it cites none."""
    decision = answer.json.get("decision")
    return str((decision if isinstance(decision, dict) else answer.json).get("article") or "")


def named_leaf(answer: Answer) -> str:
    """The leaf hash of the entry an answer names, empty where it names none."""
    decision = answer.json.get("decision")
    place = decision.get("entry") if isinstance(decision, dict) else answer.json.get("entry")
    return str(place["leaf_hash"]) if isinstance(place, dict) else ""


@dataclass(slots=True)
class Teller:
    """Asks, shows and checks; `system` is the API client's connection, `reader` an officer's token that entries are looked up with.

    `stranger` is a connection without a credential, for what is public. `words` are the articles' by number, each shown when it is first
    cited.
    """

    system: Client
    reader: str
    words: Mapping[str, str] = field(default_factory=dict)
    console: Console = field(default_factory=lambda: Console(file=sys.stdout, highlight=False, soft_wrap=True))
    cited: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    checked: int = 0
    seen: int = -1
    step: int = 0
    stranger: Client = field(init=False)

    def __post_init__(self) -> None:
        """Open a stranger's connection to the same vault."""
        self.stranger = Client(self.system.port)

    def begin(self, number: int, title: Line) -> None:
        """Open a step."""
        self.step = number
        self.console.print(f"\n[bold]{number}. {title.ar}[/]")
        self.console.print(f"[bold]   {title.en}[/]")

    def say(self, line: Line) -> None:
        """Tell a sentence."""
        self.console.print(Text(f"\n  • {line.ar}"))
        self.console.print(Text(f"    {line.en}", style="dim"))

    def show(self, text: str, style: str = "") -> None:
        """Show one line under the sentence."""
        self.console.print(Text(_INDENT + text, style=style))

    def ask(self, line: Line, request: Request, told: Told, record: str = "") -> Answer:
        """Send a request, show it with its answer and its entry about this record, and check both."""
        self.say(line)
        self.show(f"{request.method} {request.path}", "cyan")
        body = request.body if request.form is None else request.form
        if body is not None:
            self.show(short(json.dumps(without_secrets(body), ensure_ascii=False)), "cyan")
        client = self.stranger if request.public else self.system
        answer = client.call(request.method, request.path, request.body, request.token, form=request.form)
        self.show(f"→ {summary(answer)}", "green" if answer.status < HTTPStatus.BAD_REQUEST else "yellow")
        for sentence in spoken(answer):
            self.show(f"  {sentence}")
        self._cite(article_of(answer))
        wrong = differences(answer, told)
        if told.entry is not None:
            wrong += self._entry(told.entry, answer, record or str(answer.json.get("id", "")))
        self.check("; ".join(wrong))
        return answer

    def check(self, wrong: str) -> None:
        """Count one expectation; `wrong` says in what it does not hold."""
        self.checked += 1
        if wrong:
            self.faults.append(f"{self.step}: {wrong}")
            self.show(f"✗ ليس كما في القصة · not as told: {wrong}", "bold red")

    def _cite(self, article: str) -> None:
        """Show the words of an article the first time an answer cites it."""
        number = article.rpartition(":")[2]
        if number in self.words and number not in self.cited:
            self.cited.add(number)
            self.show(f"§ {number}: {self.words[number]}", "italic")

    def _entry(self, told: EntryTold, answer: Answer, record: str) -> list[str]:
        about = f"record={record}&" if told.of_record else ""
        found = self.system.call("GET", f"/v1/access-log?{about}kind={told.kind}&limit=1", token=self.reader)
        items = found.json.get("items") or [None]
        wrong = entry_differences(items[0], told, answer, self.seen)
        if items[0] is not None:
            self.seen = items[0]["index"]
            self.show(f"≡ {entry_line(items[0])}", "magenta")
        return wrong


def short(text: str) -> str:
    """The text, cut where it is long."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def without_secrets(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body as it may be shown: what signs a person in is left out."""
    return {name: "…" if name in _SECRETS else value for name, value in body.items()}


def summary(answer: Answer) -> str:
    """The answer in one line: status, code, article and law, basis, and what was opened."""
    said = answer.json
    decision = said.get("decision")
    verdict = decision if isinstance(decision, dict) else said
    parts = [str(answer.status)]
    parts += [str(decision)] if isinstance(decision, str) else []
    parts += [str(said[name]) for name in ("code", "reason") if said.get(name)]
    parts += [str(verdict[name]) for name in ("article", "law", "basis") if verdict.get(name)]
    parts += [short(json.dumps(said["fields"], ensure_ascii=False))] if isinstance(said.get("fields"), dict) else []
    parts += [f"covered: {', '.join(said['fields_covered'])}"] if said.get("fields_covered") else []
    parts += [f"{len(said['items'])} entries"] if isinstance(said.get("items"), list) else []
    parts += [f"{each['field']}: {each['code']}" for each in said.get("errors") or ()]
    parts += [f"{len(said['matches'])} found"] if isinstance(said.get("matches"), list) else []
    parts += [f"{name} {said[name]}" for name in ("id", "state", "version", "reference") if said.get(name)]
    return " · ".join(parts)


def spoken(answer: Answer) -> list[str]:
    """The sentence a clerk reads to the person, where the answer is a problem document."""
    say = answer.json.get("say")
    return [f"«{say}»"] if isinstance(say, str) else []


def entry_line(entry: Mapping[str, Any]) -> str:
    """One entry of the access log in one line."""
    parts = [
        f"entry {entry['index']}",
        entry["time"],
        entry["actor"][:13] + "…",
        entry["kind"],
        entry["outcome"],
        entry.get("reason"),
        entry.get("purpose"),
    ]
    parts += [entry.get("basis") if entry.get("basis") != "none" else None, entry.get("article"), ",".join(entry.get("fields") or ())]
    return " · ".join(str(part) for part in parts if part) + f" · leaf {entry['leaf_hash'][:12]}…"
