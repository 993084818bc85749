"""What `amanah reports` prints: a queue by the time that is left, one report or incident in lines, numbers; in Arabic or English.

Invariant: what somebody wrote is shown as it stands, with a question mark for every sign that a terminal would obey and not show.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal

import rich_click as click
from rich.console import Console
from rich.table import Table

from vault.access.incident_bundle import Checked
from vault.audit_cli import as_seen
from vault.officer.frame import Speaker
from vault.policy import pack
from vault.web.paper import read_words
from vault.web.times import in_words, month_in_words

_WORDS: Final = read_words("vault", "reports_words.toml")
_HOUR: Final = 3600
_STATES: Final = frozenset({"received", "quarantined", "acknowledged", "triaged", "dismissed"})
_OF_FILES: Final = read_words("vault.access")
_PRIVACY: Final = "cooperative"
_LAST: Final = 1 << 62
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Printer:
    """Prints in one language, or as the service said it."""

    language: Literal["ar", "en"]
    as_json: bool

    def queue(self, incidents: Json, reports: Json) -> None:
        """What waits, incidents first, each by the time that is left."""
        if self.as_json:
            self._json({"incidents": incidents, "reports": reports})
            return
        open_ = sorted(incidents["items"], key=_left)
        waiting = sorted((each for each in reports["items"] if each["state"] != "dismissed" and each["incident"] is None), key=_left)
        self._table("incidents", ("left", "reference", "state", "due", "authority", "people"), [self._incident(each) for each in open_])
        self._table("reports", ("left", "reference", "state", "due", "category", "unanswered"), [self._report(each) for each in waiting])
        for name, count in (("quarantined", reports["quarantined"]), ("withheld", incidents["withheld"] + reports["withheld"])):
            if count:
                click.echo(self._word(name).format(count=count))
        if reports["next"] is not None or incidents["next"] is not None:
            click.echo(self._word("more").format(count=len(reports["items"]) + len(incidents["items"])))

    def whole(self, told: Json, *, is_incident: bool) -> None:
        """All of a report or an incident, a line for each thing."""
        if self.as_json:
            self._json(told)
            return
        for name, said in self._of_incident(told) if is_incident else self._of_report(told):
            if said:
                click.echo(f"{name}: {_safe(said)}")

    def stands(self, told: Json, reference: str) -> None:
        """How a report stands after a deed."""
        self.said(told, "done", reference=reference, state=self._state(told["state"]))

    def said(self, told: Json, name: str, **values: str) -> None:
        """What was done, in a line."""
        if self.as_json:
            self._json(told)
        else:
            click.echo(_safe(self._word(name).format(**values)))

    def statistics(self, told: Json) -> None:
        """Half a year in numbers."""
        if self.as_json:
            self._json(told)
            return
        if told["reports"] is None:
            click.echo(self._word("few" if told["over"] else "running").format(year=told["year"], half=told["half"]))
            return
        click.echo(self._word("total").format(year=told["year"], half=told["half"], count=told["reports"]))
        if told["acknowledged_hours"] is not None:
            soon = told["acknowledged_hours"]
            click.echo(self._word("soon").format(half=soon["half"], most=soon["nine_of_ten"]))
        for name, cells in told["tables"].items():
            if cells is None:
                click.echo(self._word("unsafe").format(table=self._word(name)))
            else:
                self._table("", (name, "count"), [(self._code(name, each["code"]), self._count(each["count"])) for each in cells])

    def checked(self, found: Checked) -> None:
        """What a file held that was checked."""
        words = self._word("holds").format(
            reference=found.reference, state=self._of_state(found.state), evidence=found.evidence, entries=found.entries
        )
        click.echo(_safe(words))

    def _report(self, each: Json) -> tuple[str, ...]:
        clock = each["clock"]
        category = self._category(each["category"])
        return (
            self._time_left(clock),
            each["reference"],
            self._state(each["state"]),
            self._due(clock),
            category,
            str(each["unanswered"] or ""),
        )

    def _incident(self, each: Json) -> tuple[str, ...]:
        clock, speaker = each["clock"], Speaker(self.language)
        tracks = tuple(speaker.word(f"track_{each[track]}") for track in ("authority", "people"))
        return (self._time_left(clock), each["reference"], self._of_state(each["state"]), self._due(clock), *tracks)

    def _of_report(self, told: Json) -> Iterator[tuple[str, str]]:
        yield self._word("reference"), told["reference"]
        yield self._word("state"), self._state(told["state"])
        yield self._word("left"), self._time_left(told["clock"])
        yield self._word("due"), self._due(told["clock"])
        yield self._word("category"), self._category(told["category"])
        yield self._word("channel"), told["channel"]
        yield self._word("received"), self._time(told["received_at"])
        yield self._word("finding"), self._word(f"finding_{told['finding']}") if told["finding"] else ""
        yield self._word("incident"), told["incident"] or ""
        yield self._word("noticed"), told["noticed_on"] or ""
        yield self._word("contact"), told["contact"] or ""
        yield self._word("narrative"), told["narrative"]
        for each in told["messages"]:
            yield f"{self._word('message' if each['from'] == 'reporter' else 'reply')} ({self._time(each['at'])})", each["text"]
        for each in told["notes"]:
            yield f"{self._word('note')} ({self._time(each['at'])}, {each['by']})", each["text"]
        yield self._word("files"), ", ".join(f"{each['id']} {each['type']} {each['size']}" for each in told["files"])

    def _of_incident(self, told: Json) -> Iterator[tuple[str, str]]:
        speaker = Speaker(self.language)
        yield self._word("reference"), told["reference"]
        yield self._word("state"), self._of_state(told["state"])
        yield self._word("left"), self._time_left(told["clock"])
        yield self._word("due"), self._due(told["clock"])
        yield self._word("aware"), self._time(told["aware_at"])
        yield self._word("summary"), told["summary"]
        for track in ("authority", "people"):
            yield self._word(track), speaker.word(f"track_{told[track]['state']}")
        for each in told["clocks"]:
            rang = f" ({self._word('rang')}: {self._time(each['fired_at'])})" if each["fired_at"] else ""
            yield self._word("clocks").format(hours=each["hours"]), f"{self._time(each['due_at'])}{rang}"
        for each in (*told["steps"], *told["weights"]):
            if each.get("note"):
                yield f"{self._word('note')} ({self._time(each['at'])}, {each['by']})", each["note"]
        yield self._word("linked"), ", ".join(told["reports"])

    def _table(self, title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        if title:
            click.echo(self._word(title))
        if not rows:
            click.echo(self._word("nothing"))
            return
        table = Table(show_lines=False, header_style="bold", pad_edge=False)
        for name in names:
            table.add_column(self._word(name), overflow="fold", no_wrap=name in {"reference", "left"})
        for row in rows:
            table.add_row(*map(as_seen, row))
        Console(soft_wrap=False).print(table)

    def _time_left(self, clock: Json | None) -> str:
        speaker = Speaker(self.language)
        if clock is None:
            return speaker.word("no_clock")
        time = speaker.counted("hours", abs(clock["seconds_left"]) // _HOUR)
        return self._word("overdue").format(time=time) if clock["overdue"] else time

    def _due(self, clock: Json | None) -> str:
        return "" if clock is None else self._time(clock["due_at"])

    def _state(self, state: str) -> str:
        return Speaker(self.language).word(f"state_{state}") if state in _STATES else state

    def _of_state(self, state: str) -> str:
        return _OF_FILES[f"incident_state_{state}"].in_language(self.language)

    def _category(self, code: str) -> str:
        words = pack.load(_PRIVACY).report_categories.get(code)
        return code if words is None else str(getattr(words, self.language))

    def _code(self, table: str, code: str) -> str:
        if table == "month":
            return month_in_words(date.fromisoformat(f"{code}-01"), self.language)
        return {"category": self._category, "state": self._state}.get(table, str)(code)

    def _count(self, count: int | None) -> str:
        return self._word("hidden") if count is None else str(count)

    def _time(self, text: str) -> str:
        return in_words(datetime.fromisoformat(text), self.language)

    def _word(self, name: str) -> str:
        return _WORDS[name].in_language(self.language)

    @staticmethod
    def _json(told: object) -> None:
        click.echo(json.dumps(told, ensure_ascii=False, sort_keys=True, indent=1))


def _left(each: Json) -> int:
    clock = each["clock"]
    return _LAST if clock is None else int(clock["seconds_left"])


def _safe(text: str) -> str:
    """A text of several lines as it stands, its lines kept, a question mark for every sign that commands a terminal."""
    return "\n  ".join(as_seen(line).plain for line in text.splitlines())
