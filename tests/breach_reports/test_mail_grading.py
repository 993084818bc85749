"""Who a message is from: graded by signature, alignment and DMARC, and never dropped for a grade (test 22 of the reference)."""

import re

import pytest

from tests.breach_reports.letters import Dns, dns, letter, signed
from vault.breach_reports.mail.grading import grade
from vault.breach_reports.mail.letter import read_letter
from vault.breach_reports.mail.lookups import Lookups, Unanswered

MX = "mx.example.net"


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
