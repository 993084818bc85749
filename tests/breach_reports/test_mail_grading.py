"""Who a message is from: graded by signature, alignment and DMARC, and never dropped for a grade (test 22 of the reference)."""

import re
import time
from collections.abc import Callable

import pytest
from dkim.canonicalization import Relaxed
from hypothesis import given
from hypothesis import strategies as st

from tests.breach_reports.letters import Dns, dns, letter, signed
from vault.breach_reports.mail.grading import grade
from vault.breach_reports.mail.letter import read_letter
from vault.breach_reports.mail.lookups import Lookups, Unanswered
from vault.breach_reports.mail.signatures import relaxed

MX = "mx.example.net"
FORGED = b"I, Huda, sold the list of orphans."
MINE = "What she did sign."
CORE = [b"From", b"Subject", b"Date"]
HOUR = 3600


def graded(raw: bytes, known: Dns, provider: str = "", *, last: bool = False) -> tuple[str, tuple[str, ...]]:
    found = grade(read_letter(raw), known, provider, last=last)
    return found.grade, found.reasons


def test_a_valid_aligned_signature_under_dmarc_is_verified():
    assert graded(signed(letter()), dns()) == ("verified", ())


def test_the_answers_it_rests_on_are_kept():
    found = grade(read_letter(signed(letter())), dns())
    assert [(each.name, len(each.records)) for each in found.lookups.told.values()] == [
        ("s1._domainkey.example.org", 1),
        ("_dmarc.example.org", 1),
    ]
    assert "v=DKIM1" in found.lookups.told["s1._domainkey.example.org"].records[0]


@pytest.mark.parametrize(
    ("what", "raw", "known", "said"),
    [
        (
            "a byte of the body changed",
            signed(letter()).replace(b"\r\n\r\n", b"\r\n\r\nx", 1),
            dns(),
            ("failed", "signature"),
        ),
        ("a subject put over the signed one", b"Subject: another\r\n" + signed(letter()), dns(), ("unverified", "header-twice")),
        ("text behind a signed length", signed(letter(), length=True) + b"and more\r\n", dns(), ("unverified", "part-of-body")),
        ("signed by somebody else's domain", signed(letter(), "example.com"), dns("example.com"), ("unverified", "not-aligned")),
        ("two authors", b"From: other@example.org\r\n" + signed(letter()), dns(), ("failed", "from")),
        ("two authors in one field", signed(letter(From="a@example.org, b@example.org")), dns(), ("failed", "from")),
        ("no author", letter(From=None), dns(), ("failed", "from")),
        ("no signature", letter(), dns(), ("unverified", "no-signature")),
        ("no key", signed(letter()), Dns({"_dmarc.example.org": [b"v=DMARC1; p=none"]}), ("unverified", "no-key")),
        ("a key of 768 bits", signed(letter(), bits=768), dns(bits=768), ("unverified", "short-key")),
        ("a key in test", signed(letter()), dns(flags="; t=y"), ("unverified", "key-in-test")),
        ("a subject nobody signed", signed(letter(), headers=[b"From", b"Date"]), dns(), ("unverified", "header-unsigned")),
        ("a day nobody signed", signed(letter(), headers=[b"From", b"Subject"]), dns(), ("unverified", "header-unsigned")),
        ("a domain without DMARC", signed(letter()), dns(dmarc=None), ("unverified", "no-dmarc")),
        (
            "two DMARC records",
            signed(letter()),
            Dns({**dns().records, "_dmarc.example.org": [b"v=DMARC1; p=none"] * 2}),
            ("unverified", "no-dmarc"),
        ),
        (
            "a lower domain where it must be the same",
            signed(letter(), "mail.example.org"),
            Dns({**dns("mail.example.org", dmarc=None).records, "_dmarc.example.org": [b"v=DMARC1; p=none; adkim=s"]}),
            ("unverified", "not-aligned"),
        ),
        (
            "a neighbour under a public suffix",
            signed(letter(From="x@victim.com.sa"), "thief.com.sa"),
            Dns({**dns("thief.com.sa").records, "_dmarc.victim.com.sa": [b"v=DMARC1; p=none"]}),
            ("unverified", "not-aligned"),
        ),
        ("an empty key", signed(letter()), Dns({**dns().records, "s1._domainkey.example.org": [b"v=DKIM1; p="]}), ("failed", "signature")),
        ("a signature that is none", b"DKIM-Signature: a=b; d=example.org; s=s1; ;;\r\n" + letter(), dns(), ("failed", "signature")),
    ],
    ids=lambda told: told if isinstance(told, str) else "",
)
def test_whatever_falls_short_is_not_verified_and_says_why(what: str, raw: bytes, known: Dns, said: tuple[str, str]):
    found, reasons = graded(raw, known)
    assert (found, said[1] in reasons) == (said[0], True), (what, reasons)


def told(head: bytes, body: bytes, *, headers: list[bytes]) -> bytes:
    """A signed message with these fields about its body, and this body."""
    return signed(b"From: huda@example.org\r\nDate: Wed, 31 Dec 2025 22:00:00 +0300\r\n" + head + b"\r\n\r\n" + body, headers=headers)


@pytest.mark.parametrize(
    "forge",
    [
        lambda raw: b"X-Note: a\rContent-Type: text/plain\r\r" + FORGED + b"\r\n" + raw,
        lambda raw: b"X-Note: a\r\r" + FORGED + b"\r\n" + raw,
        lambda raw: raw.replace(b"\r\n\r\n", b"\r\nFrom now on: " + FORGED + b"\r\n\r\n", 1),
        lambda raw: b"From now on\r\n" + raw,
        lambda raw: b"X-Note: a\n" + raw,
        lambda raw: b"X-Note: a\x00\r\n" + raw,
        lambda raw: b" " + FORGED + b"\r\n" + raw,
        lambda raw: b"X-Note : a\r\n" + raw,
        lambda raw: b"\r\n" + raw,
    ],
    ids=["bare CR", "bare CR twice", "From at the end", "From on top", "bare LF", "NUL", "goes on with nothing", "blank", "empty line"],
)
def test_a_head_that_readers_take_apart_differently_is_not_verified_and_shows_no_forged_text(forge: Callable[[bytes], bytes]):
    raw = forge(signed(letter(MINE)))
    assert graded(raw, dns()) == ("unverified", ("head",))
    assert FORGED.decode() not in read_letter(raw).text


def test_a_message_whose_lines_all_end_with_lf_is_verified_as_well():
    assert graded(signed(letter()).replace(b"\r\n", b"\n"), dns()) == ("verified", ())


@pytest.mark.parametrize(
    "field",
    [
        b'Content-Type: multipart/mixed; boundary="zz"',
        b"Content-Type: text/html; charset=utf-16",
        b"Content-Transfer-Encoding: base64",
        b"Content-Disposition: attachment",
        b"MIME-Version: 2.0",
    ],
)
def test_a_second_field_that_shapes_what_is_read_over_a_signed_one_is_not_verified(field: bytes):
    kind = b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 7bit\r\nContent-Disposition: inline"
    all_ = [*CORE, b"MIME-Version", b"Content-Type", b"Content-Transfer-Encoding", b"Content-Disposition"]
    raw = told(kind, b"text\r\n", headers=all_)
    assert graded(raw, dns()) == ("verified", ())
    assert graded(field + b"\r\n" + raw, dns()) == ("unverified", ("header-twice",))


THUNDERBIRD = b"This is a multi-part message in MIME format.\r\n"
OUTLOOK = b"This is a multipart message in MIME format.\r\n\r\n"
MIXED = b"--bb\r\nContent-Type: text/plain\r\n\r\n" + MINE.encode() + b"\r\n--cc\r\n--bb--\r\n"


@pytest.mark.parametrize(
    ("head", "body", "said"),
    [
        (b"Content-Type: multipart/alternative; boundary=bb", MIXED, "verified"),
        (b"Content-Type: multipart/mixed; boundary=bb\r\nContent-Disposition: attachment", MIXED, "verified"),
        (b"Content-Type: text/plain; charset=UTF-8", MINE.encode(), "verified"),
        (b"Content-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit", "نص".encode(), "verified"),
        (b"X-Note: a", MINE.encode(), "verified"),
        (b"Content-Type: multipart/alternative; boundary=cc", MIXED, "unverified"),
        (b"Content-Type: multipart/digest; boundary=bb", MIXED, "unverified"),
        (b"Content-Type: multipart/mixed", MIXED, "unverified"),
        (b"Content-Type: multipart/mixed; boundary=bb", b"A preamble.\r\n" + MIXED, "unverified"),
        (b"Content-Type: multipart/mixed; boundary=bb", THUNDERBIRD + MIXED, "verified"),
        (b"Content-Type: multipart/mixed; boundary=bb", OUTLOOK + MIXED, "verified"),
        (b"Content-Type: multipart/mixed; boundary=bb", b"\r\n" + OUTLOOK.replace(b"\r", b"") + MIXED, "verified"),
        (b"Content-Type: multipart/mixed; boundary=cc", OUTLOOK + MIXED, "unverified"),
        (b"Content-Type: multipart/mixed; boundary=bb", THUNDERBIRD + OUTLOOK + MIXED, "unverified"),
        (b"Content-Type: multipart/mixed; boundary=bb", OUTLOOK.replace(b".", b". And more") + MIXED, "unverified"),
        (b"Content-Type: multipart/mixed; boundary=bb", OUTLOOK + b"And more.\r\n" + MIXED, "unverified"),
        (b"Content-Type: multipart/mixed; boundary=bb", b"And more.\r\n" + OUTLOOK + MIXED, "unverified"),
        (b"X-Note: taken away was the type", MIXED, "unverified"),
        (b"X-Note: taken away was the type", OUTLOOK + MIXED, "unverified"),
        (b"Content-Type: text/plain", MIXED, "unverified"),
        (b"Content-Type: text/html", b"I do <not> agree", "unverified"),
        (b"Content-Type: text/plain; name=x", MINE.encode(), "unverified"),
        (b"Content-Type: text/plain; charset=iso-8859-6", "نص".encode("iso8859-6"), "unverified"),
        (b"Content-Type: text/plain; charset=utf-8", "نص".encode("iso8859-6"), "unverified"),
        (b"Content-Transfer-Encoding: base64", b"V2hhdA==", "unverified"),
        (b"Content-Disposition: attachment", MINE.encode(), "unverified"),
        (b"Content-Type: text/plain", b"x" * 1024 * 1024 + b"y", "unverified"),
    ],
)
def test_fields_nobody_signed_count_only_where_the_body_leaves_them_no_choice(head: bytes, body: bytes, said: str):
    found = graded(told(head, body, headers=CORE), dns())
    assert found == (said, () if said == "verified" else ("content-unsigned",))


PUT_IN = st.sampled_from(
    [
        b"\r",
        b"\n",
        b"\x00",
        b" ",
        b"\x0b",
        b"\x85",
        b"From evil\r\n",
        b"X-Note: a\rContent-Type: text/html\r\r" + FORGED + b"\r\n",
        b"Content-Type: text/html\r\n",
        b"Content-Type: multipart/mixed; boundary=bb\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Disposition: attachment\r\n",
        b"Subject: " + FORGED + b"\r\n",
        b"--bb\r\n",
        b"\r\n",
    ]
)
SENT = [
    signed(letter(MINE)),
    told(b"Content-Type: multipart/mixed; boundary=bb", MIXED, headers=CORE),
    told(b"Content-Type: multipart/mixed; boundary=bb", OUTLOOK + MIXED, headers=CORE),
    told(b"Content-Type: text/html", b"<p>Note: " + MINE.encode(), headers=[*CORE, b"Content-Type"]),
    told(b"X-Note: a", b"Note: " + MINE.encode(), headers=CORE),
]


@given(st.sampled_from(SENT), st.lists(st.tuples(st.integers(0, 12), PUT_IN), max_size=3))
def test_whatever_is_put_between_the_lines_of_a_signed_message_it_is_not_verified_or_reads_as_it_did(
    raw: bytes, puts: list[tuple[int, bytes]]
):
    before = read_letter(raw)
    found = raw.split(b"\r\n")
    for number, what in puts:
        at = min(number, len(found) - 1)
        found[at] = what + found[at]
    after = read_letter(b"\r\n".join(found))
    if grade(after, dns()).grade == "verified":
        assert (after.text, after.subject, after.froms, after.files) == (before.text, before.subject, before.froms, before.files)


@pytest.mark.parametrize(
    ("head", "body", "said"),
    [
        (b"Content-Type: multipart/mixed; boundary=bb\r\nContent-Transfer-Encoding: 8bit", b"A preamble.\r\n" + MIXED, "verified"),
        (b"Content-Type: text/html; charset=iso-8859-6\r\nContent-Transfer-Encoding: 8bit", "نص".encode("iso8859-6"), "verified"),
        (b"Content-Type: text/html", b"<p>text", "verified"),
        (b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64", b"PHA+dGV4dA==", "unverified"),
        (b"Content-Type: text/html\r\nContent-Disposition: inline", b"<p>text", "unverified"),
    ],
)
def test_a_type_that_was_signed_settles_all_but_how_its_one_part_is_carried(head: bytes, body: bytes, said: str):
    assert graded(told(head, body, headers=[*CORE, b"Content-Type"]), dns())[0] == said


def test_blanks_in_an_empty_line_which_no_signature_covers_hide_nothing():
    part = b"--bb\r\nContent-Type: text/plain\r\n\r\nNote: I never agreed.\r\n--bb--\r\n"
    raw = told(b"Content-Type: multipart/mixed; boundary=bb", part, headers=[*CORE, b"Content-Type"])
    raw = raw.replace(b"\r\n\r\nNote", b"\r\n \t\r\nNote")
    assert graded(raw, dns()) == ("verified", ())
    assert read_letter(raw).text == "Note: I never agreed."


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (signed(letter("a a a a a a a a\n" * 150_000)), "too-large"),
        (signed(letter()) + b"\n" * 1_000_001, "too-large"),
    ],
)
def test_a_body_that_takes_the_library_too_long_or_too_much_is_not_checked_and_says_so(raw: bytes, reason: str):
    assert graded(raw, dns()) == ("unverified", (reason,))
    asserted = f"Authentication-Results: {MX}; dmarc=pass header.from=example.org\r\n".encode() + raw
    assert graded(asserted, dns(), MX) == ("provider_asserted", (reason,))


@given(st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"x", b"\r", b"\n"])).map(b"".join))
def test_a_body_with_few_blanks_is_relaxed_to_what_the_whole_is(body: bytes):
    assert Relaxed.canonicalize_body(relaxed(body)) == Relaxed.canonicalize_body(body)


def test_a_body_of_long_gaps_is_checked_whichever_way_it_was_signed():
    body = b"x" + b"\t  " * 1000 + b"y" + b" " * 3000 + b"\r\n\r\n"
    head = b"From: huda@example.org\r\nDate: Wed, 31 Dec 2025 22:00:00 +0300\r\n\r\n"
    for way in (b"relaxed", b"simple"):
        raw = signed(head + body, headers=CORE, body=way)
        assert graded(raw, dns()) == ("verified", ())
        wider = raw.replace(b"y  ", b"y   ")
        assert graded(wider, dns())[0] == ("verified" if way == b"relaxed" else "failed")


@pytest.mark.parametrize("more", [b"; z=" + b"a" * 9000, b"; z=" + b" " * 100 + b"a", b"; z=" + b"\r\n \t" * 30 + b"a"])
def test_a_signature_that_takes_the_library_too_long_is_not_read_and_spoils_no_other(more: bytes):
    long = b"DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=s1; h=from; bh=aa==; b=aa==" + more + b"\r\n"
    assert graded(long + letter(), dns()) == ("unverified", ("not-aligned", "signature-too-long"))
    assert graded(long + signed(letter()), dns()) == ("verified", ())


def test_a_message_of_which_we_keep_a_part_alone_is_no_forgery_and_the_mailboxs_server_may_vouch_for_it():
    raw = signed(letter("x\n" * 100))
    asserted = b"Authentication-Results: mx.example.net; dmarc=pass header.from=example.org\r\n"
    for head, rest in ((b"", ("unverified", ("cut",))), (asserted, ("provider_asserted", ("cut",)))):
        found = read_letter(head + raw[:-100])
        found.is_cut = True
        told = grade(found, dns(), MX)
        assert (told.grade, told.reasons, told.lookups.told) == (*rest, {})
    unsigned = read_letter(letter())
    unsigned.is_cut = True
    assert grade(unsigned, dns()).reasons == ("no-signature",)


def test_a_signature_that_had_expired_when_the_message_arrived_counts_for_nothing():
    now = int(time.time())
    raw = signed(letter(), until=now + HOUR)
    for arrived, said in ((now, ("verified", ())), (None, ("verified", ())), (now + 2 * HOUR, ("unverified", ("expired",)))):
        found = grade(read_letter(raw), dns(), arrived_at=None if arrived is None else arrived * 1_000_000)
        assert (found.grade, found.reasons) == said


def test_a_signature_that_expired_while_its_message_waited_for_long_is_no_forgery():
    now = int(time.time())
    for hours, grade_ in ((9, "verified"), (11, "unverified")):
        found = grade(read_letter(signed(letter(), until=now - hours * HOUR)), dns(), arrived_at=(now - 12 * HOUR) * 1_000_000)
        assert (found.grade, found.reasons) == (grade_, () if grade_ == "verified" else ("expired",))


@pytest.mark.parametrize(
    ("flags", "said"),
    [("; h=sha256", ("verified", ())), ("; h=sha1:SHA256", ("verified", ())), ("; h=sha1", ("unverified", ("algorithm",)))],
)
def test_a_key_counts_for_the_hashes_it_is_for(flags: str, said: tuple[str, tuple[str, ...]]):
    assert graded(signed(letter()), dns(flags=flags)) == said


@pytest.mark.parametrize("record", ["v=DMARC1; p=reject; adkim=S", "v=DMARC1; p=reject; ADKIM=s", "V=DMARC1; P=Reject; adKim = S"])
def test_strict_alignment_is_strict_in_capitals_too(record: str):
    known = Dns({**dns("mail.example.org", dmarc=None).records, "_dmarc.example.org": [record.encode()]})
    assert graded(signed(letter(), "mail.example.org"), known) == ("unverified", ("not-aligned",))


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ("v=DMARC1", "unverified"),
        ("v=DMARC1; adkim=r", "unverified"),
        ("v=DMARC1; p=", "unverified"),
        ("v=DMARC1; p=maybe; rua=nobody", "unverified"),
        ("v=DMARC1; p=none; sp=maybe", "unverified"),
        ("v=DMARC1; p=NONE; sp=Quarantine", "verified"),
        ("v=DMARC1; p=maybe; rua=nobody, mailto:d@example.org!10m", "verified"),
    ],
)
def test_a_record_without_a_policy_counts_only_where_it_asks_for_reports(record: str, said: str):
    assert graded(signed(letter()), dns(dmarc=record)) == (said, () if said == "verified" else ("no-dmarc",))


def test_a_lower_domain_of_the_author_counts_where_dmarc_is_relaxed():
    known = Dns({**dns("mail.example.org", dmarc=None).records, "_dmarc.example.org": [b"v=DMARC1; p=none"]})
    assert graded(signed(letter(), "mail.example.org"), known) == ("verified", ())


def test_the_record_of_the_registered_domain_serves_a_lower_one():
    known = Dns({**dns("mail.example.org", dmarc=None).records, "_dmarc.example.org": [b"v=DMARC1; p=none"]})
    assert graded(signed(letter(From="x@mail.example.org"), "mail.example.org"), known) == ("verified", ())


def test_an_author_with_an_arabic_domain_is_verified_by_its_ascii_form():
    raw = signed(
        letter().replace(b"From: huda@example.org", "From: <huda@\u0645\u062b\u0627\u0644.example>".encode()), "xn--mgbh0fb.example"
    )
    assert graded(raw, dns("xn--mgbh0fb.example")) == ("verified", ())


def test_a_key_under_2048_bits_counts_and_is_noted():
    assert graded(signed(letter(), bits=1024), dns(bits=1024)) == ("verified", ("key-under-2048",))


def test_one_good_signature_beside_another_is_enough():
    assert graded(signed(signed(letter(), "example.com")), Dns(dns().records | dns("example.com").records))[0] == "verified"


def test_no_more_than_five_signatures_are_looked_at():
    raw = letter()
    for number in range(20):
        raw = f"DKIM-Signature: v=1; a=rsa-sha256; d=d{number}.example; s=s1; h=from; bh=aa==; b=aa==\r\n".encode() + raw
    known = Dns()
    graded(raw, known)
    assert len(known.asked) == 6  # five keys and one DMARC record


def test_what_dns_does_not_answer_is_no_forgery_and_the_last_silence_stays_one():
    known = Dns(silent=True)
    assert graded(signed(letter()), known) == ("temp_error", ("dns",))
    assert graded(signed(letter()), known, last=True) == ("temp_error", ("dns",))
    assert graded(letter(), known) == ("unverified", ("no-signature",))
    assert len(known.asked) == 4  # nothing was asked about the unsigned one


def test_dmarc_that_is_silent_leaves_a_good_signature_waiting():
    class Half(Dns):
        def txt(self, name: str) -> list[bytes]:
            if name.startswith("_dmarc"):
                raise Unanswered
            return Dns.txt(self, name)

    assert graded(signed(letter()), Half(dns().records))[0] == "temp_error"


def said(results: str) -> bytes:
    return f"Authentication-Results: {results}\r\n".encode() + letter()


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (f"{MX}; dmarc=pass header.from=example.org", "provider_asserted"),
        (f"{MX}; dkim=pass header.d=example.org", "unverified"),
        (f"{MX}; dmarc=pass header.from=example.com", "unverified"),
        (f"{MX}; dmarc=fail header.from=example.org", "unverified"),
        ("mx.example.com; dmarc=pass header.from=example.org", "unverified"),
        (f"mx.example.com; none\r\nAuthentication-Results: {MX}; dmarc=pass header.from=example.org", "unverified"),
        (f"{MX}; ((((((((((", "unverified"),
    ],
)
def test_only_the_mailboxs_own_server_on_top_asserts_an_author(results: str, expected: str):
    assert graded(said(results), dns(), MX)[0] == expected
    assert graded(said(results), dns())[0] == "unverified"


def test_what_the_mailboxs_server_proved_before_it_changed_the_message_is_asserted():
    broken = b"Authentication-Results: mx.example.net; dmarc=pass header.from=example.org\r\n" + signed(letter()) + b"scanned\r\n"
    assert graded(broken, dns(), MX)[0] == "provider_asserted"
    assert graded(broken, dns())[0] == "failed"


def test_a_signature_with_sha1_or_without_the_author_counts_for_nothing():
    old = signed(letter()).replace(b"a=rsa-sha256", b"a=rsa-sha1", 1)
    assert graded(old, dns())[0] == "failed"
    bare = re.sub(rb"h=[^;]*;", b"h=to;", signed(letter()), count=1)
    assert graded(bare, dns())[0] == "failed"


def test_look_ups_are_few_short_and_asked_once():
    known = Dns({f"n{number}.example": [b"x"] for number in range(20)})
    lookups = Lookups(known)
    assert lookups.txt("N1.example.") == ["x"] == lookups.txt("n1.example")
    assert lookups.txt("a" * 300) == []
    for number in range(2, 9):
        lookups.txt(f"n{number}.example")
    with pytest.raises(Unanswered):
        lookups.txt("n9.example")
    assert len(known.asked) == 8
    assert Lookups(Dns({"big.example": [b"x" * 2000]})).txt("big.example") == []
