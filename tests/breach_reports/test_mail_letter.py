"""Whatever arrives is taken apart within limits, in bounded time and memory, and an officer always has something to read (test 23)."""

import base64
import email
import email.policy
import random
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.breach_reports.letters import AUTHOR, TEXT, Dns, dns, letter, signed
from vault.breach_reports.mail.answer import Unwritable, acknowledgement
from vault.breach_reports.mail.grading import grade
from vault.breach_reports.mail.letter import _ADDRESS, MOST_FIELDS, MOST_PARTS, MOST_SHOWN, Letter, read_letter
from vault.breach_reports.mail.words import decoded, header_text, text_of_html

HEAD = b"From: huda@example.org\r\nDate: Wed, 31 Dec 2025 22:00:00 +0300\r\nSubject: x\r\n"
ARABIC = "بلاغ عن نشر صورة"


def nested(depth: int) -> bytes:
    made = HEAD
    for number in range(depth):
        made += b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (number, number)
    return made + b"\r\ntext at the bottom\r\n"


def multipart(*parts: bytes) -> bytes:
    return (
        HEAD
        + b"Content-Type: multipart/mixed; boundary=bb\r\n\r\n"
        + b"".join(b"--bb\r\n" + part + b"\r\n" for part in parts)
        + b"--bb--\r\n"
    )


def test_a_plain_message_is_read():
    found = read_letter(letter())
    assert (found.author, found.subject, found.text, found.text_is) == (AUTHOR, "بلاغ عن انتهاك", TEXT, "plain")
    assert (found.language, found.message_id, found.marks, found.automatic, found.files) == ("ar", "<1@example.org>", [], "", [])


@pytest.mark.parametrize(
    ("subject", "body", "charset"),
    [
        (b"=?windows-1256?B?" + base64.b64encode(ARABIC.encode("cp1256")) + b"?=", TEXT.encode("cp1256"), b"windows-1256"),
        (b"=?iso-8859-6?Q?=C8=E4=C7=DA?=", TEXT.encode("iso8859-6"), b"ISO-8859-6"),
        (ARABIC.encode(), TEXT.encode(), b"utf-8"),
        (ARABIC.encode("cp1256"), TEXT.encode("cp1256"), b""),
        (ARABIC.encode("cp1256"), TEXT.encode("cp1256"), b"no-such-charset"),
        (ARABIC.encode("cp1256"), TEXT.encode("cp1256"), b"us-ascii"),
        (b"=?utf-8?B?2KjZhNin2Lo=?= x", TEXT.encode("utf-16"), b"utf-16"),
    ],
)
def test_arabic_is_read_in_whatever_character_set_it_came(subject: bytes, body: bytes, charset: bytes):
    kind = b"Content-Type: text/plain" + (b"; charset=" + charset if charset else b"") + b"\r\nContent-Transfer-Encoding: base64\r\n"
    found = read_letter(b"From: a@example.org\r\nSubject: " + subject + b"\r\n" + kind + b"\r\n" + base64.encodebytes(body))
    assert found.subject.startswith("بلاغ")
    assert found.text == TEXT


@pytest.mark.parametrize(
    "word", [b"=?utf-8?B?!!!?=", b"=?x?Q?=ZZ?=", b"=?punycode?Q?a?=", b"=?utf-8?B?YQ", b"=?unicode_escape?Q?=5Cu0041?="]
)
def test_an_encoded_word_that_is_broken_is_shown_all_the_same(word: bytes):
    assert header_text(word) != ""


def test_a_message_in_html_is_shown_as_text_and_nothing_of_it_runs():
    head = "<html><head><style>p{}</style><title>t</title></head>"
    html = f"{head}<body><p>قبل &amp; بعد</p><script>alert(1)</script><img src=http://x/y><!-- no --><br>سطر</body>"
    found = read_letter(HEAD + b"Content-Type: text/html; charset=utf-8\r\n\r\n" + html.encode())
    assert (found.text, found.text_is) == ("قبل & بعد\n\nسطر", "html")


def test_plain_text_is_preferred_and_the_rest_is_listed():
    parts = [
        b"Content-Type: text/html\r\n\r\n<b>html</b>",
        b"Content-Type: text/plain\r\n\r\nplain",
        b'Content-Type: application/pdf; name="=?utf-8?B?'
        + base64.b64encode("../ملف\u202efdp.exe".encode())
        + b'?="\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0=',
        b"Content-Type: message/rfc822\r\n\r\nFrom: b@example.org\r\n\r\nforwarded",
        b"Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nnot the text",
    ]
    found = read_letter(multipart(*parts))
    assert (found.text, found.text_is) == ("plain", "plain")
    assert [(each.name, each.type) for each in found.files] == [
        (".._ملف fdp.exe", "application/pdf"),
        ("message/rfc822", "message/rfc822"),
        ("text/plain", "text/plain"),
    ]
    assert found.files[0].size == 5


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({"Auto-Submitted": "auto-replied"}, "auto-submitted"),
        ({"Auto-Submitted": "no"}, ""),
        ({"Return-Path": "<>"}, "bounce"),
        ({"Return-Path": "<a@example.org>"}, ""),
        ({"Precedence": "bulk"}, "list"),
        ({"List-Id": "<l.example.org>"}, "list"),
        ({"X-Autoreply": "yes"}, "auto-reply"),
    ],
)
def test_what_no_person_wrote_just_now_is_known(header: dict[str, Any], why: str):
    assert read_letter(letter(**header)).automatic == why


def test_a_report_of_a_mail_server_is_a_bounce():
    assert read_letter(HEAD + b"Content-Type: multipart/report; boundary=b\r\n\r\n--b--\r\n").automatic == "bounce"


def test_an_address_with_a_mark_that_turns_letters_round_is_none():
    for mark in "\u202a\u202e\u2066\u2069":
        found = read_letter(letter().replace(b"From: huda@example.org", f"From: <{mark}huda@example.org>, b@example.org".encode()))
        assert found.froms == ["b@example.org"]


@pytest.mark.parametrize("charset", [b"us-ascii", b"x-windows-1256", b"no-such-charset", b"undefined"])
def test_a_message_that_lies_with_another_is_measured_whatever_it_says_of_its_letters(charset: bytes):
    inner = b"From: b@example.com\r\nContent-Type: text/plain; charset=" + charset + b"\r\n\r\n" + ARABIC.encode("cp1256")
    mine = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(TEXT.encode())
    found = read_letter(multipart(mine, b"Content-Type: message/rfc822\r\n\r\n" + inner))
    assert (found.text, found.marks) == (TEXT, [])
    assert [(each.type, each.size) for each in found.files] == [("message/rfc822", len(inner))]


def test_what_lies_in_an_attached_message_is_neither_read_nor_listed():
    inner = multipart(b"Content-Type: text/plain\r\n\r\nforwarded", b"Content-Type: image/png; name=x\r\n\r\n").replace(b"bb", b"cc")
    found = read_letter(multipart(b"Content-Type: message/rfc822\r\n\r\n" + inner, b"Content-Type: text/plain\r\n\r\nmine"))
    assert (found.text, [each.type for each in found.files]) == ("mine", ["message/rfc822"])


@pytest.mark.parametrize(
    ("header", "file"),
    [
        (b"Content-Type: text/plain" + b";" * 4000, ("application/octet-stream", "application/octet-stream")),
        (b"Content-Disposition: attachment; filename=" + b"a" * 4000, ("text/plain", "text/plain")),
        (b"Content-Disposition: attachment; filename*=idna''%D9%85", ("م", "text/plain")),
        (b"Content-Disposition: attachment; filename*=undefined''x", ("x", "text/plain")),
        (b"Content-Disposition: attachment; filename*=windows-1256''%E3", ("م", "text/plain")),
        (b"Content-Disposition: attachment; filename*=x; filename*0=y", ("text/plain", "text/plain")),
        (b"Content-Type: application/pdf; name=a\r\nContent-Type: text/plain", ("a", "application/pdf")),
    ],
)
def test_a_part_that_cannot_be_understood_is_kept_beside_a_text_that_can(header: bytes, file: tuple[str, str]):
    found = read_letter(multipart(b"Content-Type: text/plain\r\n\r\nmine", header + b"\r\n\r\nx"))
    assert (found.text, [(each.name, each.type, each.size) for each in found.files]) == ("mine", [(*file, 1)])
    assert found.marks == (["unreadable"] if len(header) > 4000 else [])


def test_the_number_of_a_letter_that_is_none_loses_no_text():
    assert read_letter(HEAD + b"Content-Type: text/html\r\n\r\nmine &#" + b"1" * 5000 + b";").text.startswith("mine")


def inside(header: bytes) -> bytes:
    return multipart(header + b"\r\n\r\nx")


SIGNATURE = b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=a.example; s=s1; h=from; bh=aaaa; b=aaaa"
MEBIBYTE = 1024 * 1024


def many(names: int) -> bytes:
    """A message with five signatures that all hold, over as many fields as are not there."""
    raw = letter()
    for _ in range(5):
        raw = signed(raw, "a.example", headers=[b"from", *(b"%x" % number for number in range(names))])
    return raw


SLOW: dict[str, Callable[[int], bytes]] = {
    "a tag without an end": lambda size: HEAD + b"Content-Type: text/html\r\n\r\n<" + b"a" * size,
    "a tag without an end, and blanks": lambda size: HEAD + b"Content-Type: text/html\r\n\r\n<a" + b" " * size,
    "blanks in a signed line": lambda size: SIGNATURE + b"\r\n" + HEAD + b"\r\n" + b" " * size + b"x\r\n",
    "blanks in many signed lines": lambda size: (SIGNATURE + b"\r\n") * 5 + HEAD + b"\r\n" + (b" " * 199 + b"x") * (size // 220),
    "a parameter in quotes": lambda size: inside(b'Content-Type: text/plain; a="' + b";" * size),
    "parameters in quotes, all but too long": lambda size: multipart(
        *[b'Content-Type: text/plain; a="' + b";" * 3000 + b"\r\n\r\nx"] * (size // 3072)
    ),
    "parameters": lambda size: inside(b"Content-Type: text/plain" + b";" * size),
    "parameters in pieces": lambda size: inside(
        b"Content-Type: text/plain" + b"".join(b";\r\n a*%d=b" % number for number in range(size // 12))
    ),
    "a name in punycode": lambda size: inside(b"Content-Disposition: attachment; filename*=punycode''-" + b"a" * size),
    "encoded words without an end": lambda size: inside(b"Content-Disposition: attachment; filename=" + b"=?a?q?x" * (size // 7)),
    "blanks behind a boundary": lambda size: nested(45) + b"--b0" + b" " * size + b"x\r\n",
    "blanks in a signature": lambda size: SIGNATURE + b" " * min(size, 250_000) + b"!\r\n" + HEAD + b"\r\nx",
    "blanks in a signature's list": lambda size: (
        SIGNATURE.replace(b"h=from", b"h=from" + b" " * min(size, 250_000) + b"x") + b"\r\n" + HEAD + b"\r\nx"
    ),
    "lines in a signature": lambda size: SIGNATURE + b"\r\n " * min(size // 3, 80_000) + b"!\r\n" + HEAD + b"\r\nx",
    "names in a signature's list": lambda size: many(size // 1024),
    "encoded words in a subject": lambda size: b"Subject: " + b"=?a?q?x" * min(size // 7, 35_000) + b"\r\nFrom: a@example.org\r\n\r\nx",
    "authors": lambda size: (b"From: " + b"a@b," * 1000 + b"\r\n") * 60 + b"\r\nx",
}


@pytest.mark.parametrize("name", SLOW)
def test_a_mail_of_a_mebibyte_is_taken_apart_and_graded_in_a_moment(name: str):
    raw = SLOW[name](MEBIBYTE)
    known = dns("a.example")
    began = time.process_time()
    found = read_letter(raw)
    graded = grade(found, known)
    took = time.process_time() - began
    assert took < 2, name
    assert found.raw == raw
    assert graded.grade in {"failed", "unverified"}


HOSTILE = {
    "1,000 nested parts": nested(1000),
    "45 nested parts of many lines": nested(45) + b"x\r\n" * 2_000_000,
    "1,000 parts side by side": multipart(*[b"\r\nx"] * 1000),
    "20,000 headers": HEAD + b"X-A: b\r\n" * 20_000 + b"\r\nbody",
    "a head without an end": b"X-A: b\r\n" * 100_000,
    "one line of 20 MB": HEAD + b"\r\n" + b"a" * 20_000_000,
    "10 million line ends": HEAD + b"\r\n" * 10_000_000,
    "comments in comments": b"From: " + b"(" * 200_000 + b"\r\n\r\n",
    "15,000 authors": b"From: " + b"a@example.org," * 15_000 + b"\r\n\r\n",
    "encoded words": b"From: a@example.org\r\nSubject: " + b"=?utf-8?q?a?= " * 20_000 + b"\r\n\r\n",
    "unended tags": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<a " * 2_000_000,
    "unended comments": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<!--" * 2_000_000,
    "character references": HEAD + b"Content-Type: text/html\r\n\r\n" + b"&#" * 2_000_000,
    "parameters in pieces": HEAD + b"Content-Type: text/plain; " + b"a*0=b; " * 30_000 + b"\r\n\r\n",
    "quotes": HEAD + b'Content-Type: text/plain; a="' + b'"\\' * 60_000 + b"\r\n\r\n",
    "signatures": b"".join(b"DKIM-Signature: v=1; d=a%d.example; s=s; h=" % n + b"from:" * 4000 + b"; b=; bh=\r\n" for n in range(10))
    + HEAD
    + b"\r\n",
    "spaces in a signature": b"DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=s1; h=from; bh=aa==; b="
    + b" " * 100_000
    + b"!\r\n"
    + HEAD
    + b"\r\n",
    "letters and blanks, signed": SIGNATURE + b"\r\n" + HEAD + b"\r\n" + b" a a a a a a a a a a a a a\r\n" * 850_000,
    "nothing": b"",
    "zeroes": bytes(1_000_000),
    "one carriage return after the other": HEAD + b"\r\n" + b"\r" * 3_000_000,
    "results of a server": b"Authentication-Results: mx.example.net; " + b"(" * 8000 + b"\r\n" + HEAD + b"\r\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_message_is_taken_apart_in_bounded_time_and_memory(name: str):
    raw, known = HOSTILE[name], dns("a.example")
    tracemalloc.start()
    try:
        began = time.process_time()
        found = read_letter(raw)
        grade(found, known, "mx.example.net")
        took = time.process_time() - began
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert took < 10, name  # tracing takes ten times as long as the work
    assert most < 300_000_000
    assert len(found.text) <= MOST_SHOWN
    assert len(found.fields) <= MOST_FIELDS
    assert len(found.files) <= MOST_PARTS


@pytest.mark.parametrize(
    ("name", "mark"),
    [("1,000 nested parts", "too-many-parts"), ("1,000 parts side by side", "too-many-parts"), ("20,000 headers", "head-too-large")],
)
def test_what_goes_beyond_a_limit_is_marked_and_still_from_somebody(name: str, mark: str):
    found = read_letter(HOSTILE[name])
    assert mark in found.marks
    assert (found.author, found.subject) == ("huda@example.org", "x")


def test_parts_deeper_than_ten_are_not_followed():
    found = read_letter(nested(20))
    assert found.marks == ["too-deep"]
    assert read_letter(nested(9)).text == "text at the bottom"


def test_a_text_longer_than_is_shown_is_cut_and_marked():
    found = read_letter(letter("ن" * 20_000))
    assert (len(found.text), found.marks) == (MOST_SHOWN, ["text-cut"])


def mutated(rng: random.Random, raw: bytes) -> bytes:
    """The message with a few things done to it that a hostile hand, or a bad line, does."""
    made = bytearray(raw)
    for _ in range(rng.randrange(1, 8)):
        at = rng.randrange(len(made) + 1)
        way = rng.randrange(6)
        if way == 0 and made:
            made[at % len(made)] = rng.randrange(256)
        elif way == 1:
            made[at:at] = rng.choice(
                [b"\x00", b"\r", b"\n\n", b"\xff\xfe", b"\xd8\x00", b";", b'"', b"=?utf-8?b?", b"--bb", b"\r\nFrom: x@y.example\r\n"]
            )
        elif way == 2:
            del made[at : at + rng.randrange(60)]
        elif way == 3:
            made[at:at] = made[: rng.randrange(200)]
        elif way == 4:
            made[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(40)))
        else:
            made[at:] = b""
    return bytes(made)


def samples() -> list[bytes]:
    return [
        signed(letter()),
        signed(letter("plain", Subject="x" * 300)),
        multipart(
            b"Content-Type: text/plain; charset=windows-1256\r\n\r\n\xc7\xe1",
            b"Content-Type: text/html\r\n\r\n<p>x",
            b"Content-Type: image/png; name*=utf-8''%D9%85\r\nContent-Transfer-Encoding: base64\r\n\r\n////",
        ),
        nested(5),
        b"Authentication-Results: mx.example.net; dmarc=pass header.from=example.org\r\n" + letter(),
    ]


def test_six_hundred_mutated_messages_are_read_and_graded_each():
    seed = random.randrange(1 << 32)
    rng, raws, known = random.Random(seed), samples(), dns()
    verified = 0
    for number in range(600):
        raw = mutated(rng, raws[number % len(raws)])
        try:
            found = read_letter(raw)
            graded = grade(found, known, "mx.example.net")
        except Exception as error:
            error.add_note(f"seed {seed}, message {number}: {raw!r}")
            raise
        found.text.encode()
        found.subject.encode()
        verified += graded.grade == "verified"
    assert verified < 300, seed


@given(st.binary(max_size=400))
def test_any_bytes_at_all_are_a_message(raw: bytes):
    found = read_letter(raw)
    assert grade(found, Dns()).grade in {"failed", "unverified"}
    found.text.encode()


@given(st.binary(max_size=200), st.text(max_size=20))
def test_any_bytes_in_any_character_set_are_text(content: bytes, charset: str):
    decoded(content, charset).encode("utf-8", "surrogatepass")


@given(st.text(max_size=300))
def test_any_markup_is_text(markup: str):
    assert isinstance(text_of_html(markup), str)


_PIECES = st.sampled_from(
    ["=?utf-8?q?", "=?utf-8?b?", "=3D=3F", "=0D=0A", "?=", "huda", "هدى", "+", "'", "\u2028", "\x1f", "\ud800", "%", "."]
)


@given(
    st.one_of(st.from_regex(_ADDRESS, fullmatch=True), st.lists(_PIECES, min_size=1).map("".join).map("{}@example.org".format)), st.text()
)
def test_whatever_an_address_is_the_answer_names_it_and_no_other_or_there_is_none(author: str, number: str):
    taken_apart = Letter(b"", [("from", b"")], froms=[author], message_id=f"<{number}>")
    try:
        made = acknowledgement("BR-2026-000001", taken_apart, "privacy@example.net", 0)
    except Unwritable:
        return
    for utf8 in (True, False) if author.isascii() else (True,):  # as smtplib writes it
        written = made.as_bytes(policy=email.policy.EmailPolicy(utf8=utf8, linesep="\r\n"))
        sent = email.message_from_string(written.decode(), policy=email.policy.default)
        assert [each.addr_spec for each in sent["To"].addresses] == [author]
        assert {*sent} - {"In-Reply-To"} == {*acknowledgement("x", Letter(b"", [("from", b"")], froms=[AUTHOR]), "privacy@example.net", 0)}
