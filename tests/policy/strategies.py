"""Small worlds for properties: few names and few moments, so that histories collide often."""

from dataclasses import replace

from hypothesis import strategies as st

from vault.policy.events import (
    CapacityTold,
    Disclosed,
    Given,
    GuardianAppointed,
    GuardianshipEnded,
    Interdicted,
    Locked,
    Requested,
    Restricted,
    Signal,
    Stopped,
    SubjectDeceased,
    SubjectsMerged,
    Verified,
)
from vault.policy.facts import (
    INTERNAL,
    SELF,
    Agreement,
    Caller,
    Grant,
    Guardian,
    Order,
    Person,
    Purpose,
    Question,
    Rules,
    Standing,
    Stop,
    Supersession,
    Word,
)

FIELDS = ("name", "phone", "health")
RECIPIENTS = (INTERNAL, "R1", "R2")
PURPOSES = {
    "serve": Purpose("serve", "use", frozenset({"written", "electronic"}), article="6.1", law="5"),
    "share": Purpose("share", "disclose", frozenset({"written", "electronic", "verbal"}), article="6.2", law="15"),
    "offer": Purpose("offer", "contact", frozenset({"electronic"}), double_opt_in=True, classes=frozenset({"contact"}), article="6.4"),
    "study": Purpose("study", "use", frozenset({"written"}), internal_only=True, article="6.3", law="27"),
    "visit": Purpose("visit", "use", frozenset({"electronic"}), honours_gpc=True, article="6.5"),
    "order": Purpose("order", "disclose", basis="order", article="4"),
}
LAWS = {
    "copy": Purpose("copy", "use", basis="law", internal_only=True, despite=frozenset({"restricted"})),
    "intake": Purpose("intake", "use", basis="law", internal_only=True, within_hours=1),
}
CLASSES = {"name": "identity", "phone": "contact", "health": "health"}

moments = st.integers(0, 12)
purposes = st.sampled_from([*PURPOSES])
recipients = st.sampled_from(RECIPIENTS)
signers = st.sampled_from([SELF, "G", "H"])
some_fields = st.frozensets(st.sampled_from(FIELDS))
supersessions = st.builds(
    Supersession, st.sampled_from(["n1", "n2"]), st.booleans(), st.none() | moments, moments, st.sampled_from(["", "n1", "n2", "n3"])
)
agreements = st.builds(
    Agreement,
    st.sampled_from(["a1", "a2"]),
    st.frozensets(st.sampled_from(["share", "serve", "order"]), min_size=1),
    st.frozensets(st.sampled_from([*CLASSES.values()]), min_size=1),
    moments,
    moments,
)
rules = st.builds(
    lambda news, agreed: Rules(
        {**PURPOSES, **LAWS}, frozenset({"R1", "R2"}), CLASSES, {"n1": news[:1], "n2": news[1:]}, agreements={"R1": agreed}
    ),
    st.lists(supersessions, max_size=2).map(tuple),
    st.lists(agreements, max_size=2).map(tuple),
)
grants = st.builds(
    Grant,
    id=st.sampled_from(["g1", "g2", "g3"]),
    form=st.sampled_from(["written", "electronic", "verbal", "implied"]),
    fields=some_fields,
    notice=st.sampled_from(["n1", "n2"]),
    by=signers,
    indicated_at=moments,
    recorded_at=moments,
    usable_from=moments,
    expires_at=st.none() | moments,
    explicit=st.booleans(),
    complete=st.sampled_from([True, True, False]),
    verified=st.sampled_from([True, True, False]),
    confirmed=st.booleans(),
)
stops = st.builds(Stop, st.sampled_from(["withdraw", "refuse", "invalidate"]), moments, moments)
guardians = st.builds(
    Guardian,
    st.sampled_from(["G", "H"]),
    st.sampled_from(["wali", "agent"]),
    st.booleans(),
    st.just(0) | moments,
    st.none() | moments,
    st.none() | moments,
)
given = st.builds(Given, purposes, recipients, grants, st.sampled_from(["grant", "renew", "confirm", "import_grant"]))
stopped = st.builds(Stopped, purposes, recipients, stops, signers)
events = st.one_of(
    given,
    given,
    given,
    stopped,
    st.builds(Requested, purposes, recipients, moments),
    st.builds(Verified, purposes, recipients, st.sampled_from(["g1", "g2"]), moments),
    st.builds(GuardianAppointed, guardians),
    st.builds(GuardianshipEnded, st.sampled_from(["G", "H"]), moments, st.booleans()),
    st.builds(Signal, moments, st.booleans()),
    st.builds(Disclosed, purposes, recipients, moments),
)
states = st.one_of(
    st.builds(CapacityTold, moments),
    st.builds(Interdicted, moments, st.booleans()),
    st.builds(SubjectDeceased, moments),
    st.builds(Restricted, moments, st.booleans()),
    st.builds(Locked, moments, st.booleans()),
)
standings = st.builds(
    Standing,
    grants=st.lists(grants, max_size=2).map(tuple),
    newest_stop=st.none() | stops,
    latest_stopped=st.none() | moments,
    stale=st.booleans(),
    granted=st.booleans(),
    words=st.lists(st.builds(Word, signers, st.sampled_from(["grant", "refuse", "withdraw"])), max_size=2).map(tuple),
)
people = st.builds(
    Person,
    standings=st.dictionaries(st.builds(lambda p, r: f"{p}|{r}", purposes, recipients), standings, max_size=4),
    guardians=st.lists(guardians, max_size=2).map(tuple),
    full_capacity_from=st.none() | moments,
    interdicted=st.booleans(),
    deceased_at=st.none() | moments,
    restricted=st.booleans(),
    locked=st.booleans(),
    opted_out_at=st.none() | moments,
    signal_ended_at=st.none() | moments,
    stored_at=st.none() | moments,
)
merges = st.builds(SubjectsMerged, people, moments)
blank_people = st.builds(Person, full_capacity_from=st.none() | moments, interdicted=st.booleans())
questions = st.builds(
    Question,
    st.sampled_from(["use", "contact", "publish", "disclose", "sell"]),
    st.sampled_from([*PURPOSES, *LAWS, "unknown"]),
    st.sampled_from([*RECIPIENTS, "R3"]),
    st.frozensets(st.sampled_from([*FIELDS, "shoe_size"]), max_size=3),
    moments,
)
apt_questions = st.builds(
    lambda purpose, recipient, fields, at: Question(PURPOSES[purpose].action, purpose, recipient, fields, at),
    purposes,
    recipients,
    st.frozensets(st.sampled_from(FIELDS), min_size=1),
    st.integers(6, 12),
)
sound_grants = st.builds(
    lambda grant, wide, often: replace(
        grant,
        id=f"{grant.form[0]}{grant.recorded_at}{grant.indicated_at}{grant.by}",
        form="written" if often else grant.form,
        fields=frozenset(FIELDS) if wide else grant.fields,
        by=SELF if often else grant.by,
        usable_from=grant.recorded_at,
        expires_at=None if wide else grant.expires_at,
        explicit=wide or grant.explicit,
        verified=True,
        complete=True,
    ),
    grants,
    st.booleans(),
    st.booleans(),
)


def seldom(usual, *others):
    """The usual value, now and then another."""
    return st.sampled_from([usual] * 6 + [*others])


@st.composite
def repeated_grants(draw):
    """A purpose's grants in the order of recording, much alike, with what may happen to the person in between; and a later question."""
    form, place = draw(
        st.sampled_from([("electronic", ("serve", INTERNAL)), ("written", ("share", "R1")), ("electronic", ("visit", INTERNAL))])
    )
    purpose, recipient = place
    history = []
    for number in range(draw(st.integers(2, 4))):
        grant = Grant(
            id=f"g{number}",
            form=draw(seldom(form, "written", "electronic")),
            fields=draw(st.sampled_from([frozenset(FIELDS), frozenset(FIELDS), frozenset({"name"}), frozenset({"phone", "health"})])),
            notice=draw(seldom("n1", "n2")),
            by=draw(seldom(SELF, "G", "G")),
            indicated_at=max(0, number - draw(seldom(0, 1, 2))),
            recorded_at=number,
            usable_from=number + draw(seldom(0, 9)),
            expires_at=draw(st.none() | st.integers(7, 14)),
            explicit=draw(seldom(True, False, False)),
            complete=draw(seldom(True, False)),
            verified=draw(seldom(True, False)),
            confirmed=draw(seldom(True, False)),
        )
        history.append(Given(purpose, recipient, grant))
        between = st.one_of(
            st.builds(Verified, st.just(purpose), st.just(recipient), st.sampled_from(["g0", "g1"]), st.just(number)),
            st.builds(GuardianAppointed, guardians),
            st.builds(GuardianshipEnded, st.just("G"), moments, st.booleans()),
            st.builds(Signal, st.integers(0, number), st.booleans()),
            st.builds(
                Stopped, st.just(purpose), st.just(recipient), st.builds(Stop, st.just("withdraw"), st.integers(0, number), st.just(number))
            ),
        )
        history += draw(st.lists(between, max_size=1)) if draw(seldom(False, True, True)) else []
    asked = draw(st.frozensets(st.sampled_from(FIELDS), min_size=1))
    return Question(PURPOSES[purpose].action, purpose, recipient, asked, draw(st.integers(5, 14))), history


@st.composite
def stories(draw):
    """A question, the person it is about, what happened to her (mostly to the purpose asked about), the rules and the orders."""
    question = draw(apt_questions)
    if draw(st.sampled_from([True, True, False])):
        place = draw(st.sampled_from([("disclose", "share", "R1"), ("use", "serve", INTERNAL)]))
        question = replace(question, action=place[0], purpose=place[1], recipient=place[2], at=12)
    recipient = st.sampled_from([question.recipient, question.recipient, question.recipient, "R2"])
    here = st.one_of(
        st.builds(Given, st.just(question.purpose), recipient, sound_grants),
        st.builds(Given, st.just(question.purpose), recipient, sound_grants),
        st.builds(Given, st.just(question.purpose), recipient, sound_grants, st.sampled_from(["renew", "import_grant"])),
        st.builds(Stopped, st.just(question.purpose), recipient, stops, signers),
        events,
    )
    history = draw(st.lists(here, min_size=1, max_size=6))
    person = draw(st.one_of(st.just(Person()), st.just(Person()), blank_people))
    laid = draw(st.one_of(st.just(Rules({**PURPOSES, **LAWS}, frozenset({"R1", "R2"}), CLASSES)), rules))
    return question, person, history, laid, draw(orders)


orders = st.lists(
    st.builds(
        Order,
        st.sampled_from(["o1", "o2"]),
        st.sampled_from(["judicial", "regulatory"]),
        st.sampled_from(["R1", "R2"]),
        some_fields,
        moments,
        moments,
        st.booleans(),
    ),
    max_size=3,
)
callers = st.builds(
    Caller,
    party=st.sampled_from([INTERNAL, INTERNAL, "R1"]),
    purposes=st.one_of(st.none(), st.none(), st.frozensets(purposes)),
    types=st.sampled_from([None, None, frozenset({""}), frozenset({"other"})]),
    may_ask_orders=st.booleans(),
    sees_reasons=st.booleans(),
    acknowledged=st.sampled_from([True, True, True, False]),
    engaged=st.sampled_from([True, True, True, False]),
    is_storer=st.booleans(),
    only_assigned=st.booleans(),
    assigned_until=st.one_of(st.just(0), moments),
)
