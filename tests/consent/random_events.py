"""Random events of every kind, told by calls to the people of a served vault, and every sheet held against its history."""

from collections import Counter as Count
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

from tests.consent.case_stage import Stage, TurnedAway
from tests.consent.counter import Counter, routes
from tests.consent.test_merging import sheets_are_what_their_events_give
from tests.household import findings
from tests.simulator import World
from vault.access.orders_api import order_routes
from vault.consent.visitors_api import routes as visitor_routes
from vault.web.limits import Limits
from vault.web.times import write_time

Json = dict[str, Any]
PURPOSES = {
    "housing_referral": ("R1", "R2"),
    "school_support": ("R1", "R3"),
    "internal_research": ("INTERNAL",),
    "sms_offers": ("INTERNAL",),
    "email_offers": ("INTERNAL",),
    "web_sharing": ("R_ANALYTICS",),
}
FIELDS = ("name", "phone", "income", "health", "email")
SPOKEN = ("grant", "renew", "confirm", "import_grant", "withdraw", "refuse", "invalidate")
OTHER = ("notice_published", "signal", "subjects_merged", "subject_deceased", "guardianship_ended", "order")
PEOPLE_FOR = 40
"""Of how many events the same people are spoken, until others come."""


class Chance:
    """Draws events in the form of the case files; the same seed draws the same."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.notices = {purpose: f"{purpose[:1].upper()}1" for purpose in PURPOSES}
        self.crowd = 0

    def book(self, events: int) -> Json:
        """Fixtures with everybody who may be named."""
        crowds = range(events // PEOPLE_FOR + 1)
        subjects = {f"V{one}": "website visitor" for one in crowds} | {f"I{one}": "adult under interdiction" for one in crowds}
        forms = {"sms_offers": ["electronic"], "email_offers": ["electronic"], "internal_research": ["written", "electronic"]}
        purposes: Json = {code: {"action": "disclose", "evidence": forms.get(code, ["written"])} for code in PURPOSES}
        for code in ("sms_offers", "email_offers"):
            purposes[code]["action"] = "contact"
        purposes["internal_research"] |= {"action": "use", "third_party": "never"}
        purposes["email_offers"]["double_opt_in"] = True
        purposes["web_sharing"]["gpc"] = True
        return {"fixtures": {"subjects": subjects, "purposes": purposes}}

    def event(self, number: int, now: int) -> Json:
        """The next event, known now."""
        self.crowd, draw, at = number // PEOPLE_FOR, self.random, write_time(now)
        kind = draw.choice([*SPOKEN * 4, "grant", "grant", "grant", *OTHER])
        adults = [f"P{self.crowd}", f"Q{self.crowd}"]
        subject = draw.choice([*adults, *adults, f"I{self.crowd}", "M"])
        if kind in SPOKEN:
            return self.spoken(kind, subject, now)
        purpose = draw.choice([*PURPOSES])
        if kind == "notice_published":
            replaced, self.notices[purpose] = self.notices[purpose], f"{purpose[:1].upper()}{number + 2}"
            material = draw.random() < 0.3
            return {"type": kind, "replaces": replaced, "notice": self.notices[purpose], "material": material, "recorded_at": at}
        if kind == "signal":
            return {"type": kind, "subject": f"V{self.crowd}", "signal": "gpc", "value": draw.choice([0, 1]), "recorded_at": at}
        if kind == "subjects_merged":
            return {"type": kind, "kept": adults[0], "absorbed": adults[1], "recorded_at": at}
        if kind == "order":
            lasts = {"valid_from": at, "valid_to": write_time(now + 90 * 86_400_000_000)}
            return {
                "type": kind,
                "kind": "judicial",
                "subject": subject,
                "recipient": "COURT",
                "fields": ["name"],
                "recorded_at": at,
                **lasts,
            }
        if kind == "subject_deceased":
            # Late in the time of a crowd, so that there is a life before it.
            kind = kind if number % PEOPLE_FOR > PEOPLE_FOR * 3 // 4 and subject != "M" else "guardianship_ended"
        return {"type": kind, "subject": subject, "guardian": draw.choice(["G", "H"]), "for_cause": draw.random() < 0.3, "recorded_at": at}

    def spoken(self, kind: str, subject: str, now: int) -> Json:
        """A word of the person or of who speaks for her, said a while ago or now, as forms and evidence go."""
        draw = self.random
        purpose = draw.choice([*PURPOSES])
        said = now - draw.choice([0, 0, 0, 3_600_000_000, 40 * 86_400_000_000])
        told: Json = {
            "type": kind,
            "subject": subject,
            "purpose": purpose,
            "recipient": draw.choice(PURPOSES[purpose]),
            "by": draw.choice([subject, subject, "G", "H"]),
            "notice": self.notices[purpose],
            "indicated_at": write_time(said),
            "recorded_at": write_time(now),
        }
        if kind in ("grant", "import_grant") or draw.random() < 0.2:
            told["fields"] = draw.sample(FIELDS, draw.randint(1, 3))
        told["evidence"] = draw.choice(["written", "written", "electronic", "verbal"])
        told["verified"], told["confirmed"] = draw.random() < 0.8, draw.random() < 0.7
        told["evidence_complete"] = draw.random() < 0.9
        if draw.random() < 0.4:
            told["expires_at"] = write_time(now + draw.choice([1, 30, 400]) * 86_400_000_000)
        return told


async def live(world: World, events: int, *, seed: int, every: int, say: Callable[[str], object] = lambda _: None) -> Count[str]:
    """Let so many events be told and let in; every so often each sheet is rebuilt and compared. Returns how many were let in, by kind."""
    made: Count[str] = Count()
    chance, visitors = Chance(seed), visitor_routes(world.associations, Limits(world.clock), None)
    async with world.front(*routes(world), *order_routes(world.identity.factor), *visitors) as http:
        counter = Counter(world, http)
        stage, number = Stage(counter, chance.book(events * 3)), 0
        await stage.build()
        while made.total() < events:
            world.clock.forward(chance.random.choice([60, 3600, 30_000]))
            event, number = chance.event(number, world.clock.now), number + 1
            with suppress(TurnedAway):
                await stage.happen(event)
                made[event["type"]] += 1
                if made.total() % every == 0 or made.total() == events:
                    sheets = await sheets_are_what_their_events_give(counter)
                    say(f"{made.total()} events, {number - made.total()} turned away: {sheets} sheets have the bytes their events give")
    assert findings(world) == []
    return made
