"""What people and machines prove themselves with: passwords, one-time codes, tokens, signatures."""

import base64

import argon2
import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import passwords
from keys.errors import Unopenable, Unsealable
from keys.notes import Signer, verify, verify_bytes
from keys.one_time_codes import accept, new_secret
from keys.passwords import burn, check_password, hash_password
from keys.secret import Secret
from keys.tokens import Pepper, new_api_key, new_session_token, parse_api_key, parse_session_token
from tests.keys.world import stream

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOW = 1_790_000_000_000_000
STEP = NOW // 30_000_000
CODE = pyotp.HOTP(SECRET).at(STEP)
SIGNER = Signer("example.org/log", Secret(b"s" * 32))
NOTE = SIGNER.sign("example.org/log\n5\nhash\n")
PEPPER = Pepper(Secret(b"p" * 32))


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hasher that tests can pay."""
    monkeypatch.setattr(passwords, "_HASHER", argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def test_a_password_is_checked_at_the_librarys_own_cost() -> None:
    stored = hash_password("كلمة مرور طويلة")
    default = argon2.PasswordHasher()
    assert stored.startswith(f"$argon2id$v=19$m={default.memory_cost},t={default.time_cost},p={default.parallelism}$")
    assert check_password(stored, "كلمة مرور طويلة")
    assert not check_password(stored, "كلمة مرور طويله")


@pytest.mark.usefixtures("cheap")
def test_two_hashes_of_one_password_differ_and_both_hold() -> None:
    one, two = hash_password("x"), hash_password("x")
    assert one != two
    assert check_password(one, "x")
    assert check_password(two, "x")


@pytest.mark.usefixtures("cheap")
def test_one_word_typed_in_two_ways_is_one_password() -> None:
    assert check_password(hash_password("\u0622\u00e9"), "\u0627\u0653e\u0301")


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("stored", ["", "x", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA", "كلمة", "$argon2i$", "\x00"])
def test_a_stored_text_that_is_no_hash_is_a_no(stored: str) -> None:
    assert not check_password(stored, "x")
    assert not check_password(hash_password("x"), "\ud800")


def test_an_unknown_name_costs_a_check_with_the_parameters_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    found = argon2.extract_parameters(passwords._NOBODY)
    assert found == argon2.extract_parameters(hash_password("x"))
    done: list[str] = []
    real = argon2.PasswordHasher.verify

    def watched(self: argon2.PasswordHasher, stored: str, password: bytes) -> bool:
        done.append(stored)
        return real(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", watched)
    burn("x")
    assert done == [passwords._NOBODY]
    assert not check_password(passwords._NOBODY, "x")


@pytest.mark.parametrize("away", range(-3, 4))
def test_the_neighbouring_steps_count_and_no_others(away: int) -> None:
    assert accept(SECRET, CODE, NOW + away * 30_000_000, 0) == (STEP if abs(away) <= 1 else None)


def test_a_step_counts_once() -> None:
    assert accept(SECRET, CODE, NOW, STEP - 1) == STEP
    assert accept(SECRET, CODE, NOW, STEP) is None
    assert accept(SECRET, CODE, NOW, STEP + 1) is None


@pytest.mark.parametrize("digits", ["٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹"])
def test_arabic_digits_are_digits(digits: str) -> None:
    assert accept(SECRET, f" {CODE.translate(str.maketrans('0123456789', digits))} ", NOW, 0) == STEP


@given(
    st.text(max_size=12).filter(lambda code: not code.strip().isdecimal())
    | st.text("0123456789", max_size=5)
    | st.text("0123456789", min_size=7, max_size=9)
)
def test_what_is_no_code_is_not_accepted(code: str) -> None:
    assert accept(SECRET, code, NOW, 0) is None


@pytest.mark.parametrize("secret", ["1", "not base32!", "سر"])
def test_a_stored_secret_that_is_none_does_not_open(secret: str) -> None:
    with pytest.raises(Unopenable) as caught:
        accept(secret, CODE, NOW, 0)
    assert caught.value.__context__ is None


def test_at_the_beginning_of_time_there_is_no_step_before() -> None:
    assert accept(SECRET, pyotp.HOTP(SECRET).at(0), 0, -2) == 0


def test_new_secrets_differ_and_are_160_bits() -> None:
    assert len({new_secret() for _ in range(100)}) == 100
    assert len(base64.b32decode(new_secret())) == 20


@given(st.from_regex(r"[a-z][a-z0-9-]{2,31}", fullmatch=True), st.text("abc", max_size=6))
def test_a_token_comes_back_as_it_was_made_and_as_nothing_else(association: str, seed: str) -> None:
    key, session = new_api_key(association, entropy=stream(seed)), new_session_token(association, entropy=stream(seed))
    assert parse_api_key(key.text) == key
    assert parse_session_token(session.text) == session
    assert (key.association, len(key.id), len(key.secret)) == (association, 16, 43)
    assert key.text == f"amn_{association}_{key.id}_{key.secret}"
    assert session.text == f"ams_{association}_{session.id}_{session.secret}"
    for wrong in (lambda: parse_api_key(session.text), lambda: parse_session_token(key.text)):
        with pytest.raises(Unopenable):
            wrong()


def test_attack_45_a_token_does_not_print_its_secret() -> None:
    for made in (new_api_key("abc"), new_session_token("abc")):
        assert made.secret not in repr(made)
        assert made.secret not in str(made)


@pytest.mark.parametrize("code", ["", "ab", "Abc", "1bc", "a_c", "a" * 33, "abc\n", "جمع", "a.c"])
def test_a_code_that_is_no_associations_gets_no_token(code: str) -> None:
    with pytest.raises(ValueError, match="code"):
        new_api_key(code)
    with pytest.raises(ValueError, match="code"):
        new_session_token(code)


def test_a_token_has_one_text() -> None:
    key = new_api_key("abc-d", entropy=stream("one"))
    assert parse_api_key(key.text) == key
    swapped = key.text[:-1] + chr(ord(key.text[-1]) + 1)
    for text in (
        "",
        key.text[:-1],
        key.text + "A",
        key.text + "\n",
        " " + key.text,
        key.text.upper(),
        key.text.replace("_", "-"),
        key.text[:-1] + "=",
        key.text + "=",
        swapped if swapped[-1] not in "AEIMQUYcgkosw048" else key.text[:-1] + "B",
        key.text.replace("amn", "amx"),
        "amn_" * 100_000,
    ):
        with pytest.raises(Unopenable):
            parse_api_key(text)


@given(st.text(max_size=120) | st.from_regex(r"am[ns]_[a-z0-9-]{0,40}_[0-9a-f]{0,20}_.{0,50}", fullmatch=True))
def test_random_texts_are_no_tokens(text: str) -> None:
    for parse in (parse_api_key, parse_session_token):
        try:
            assert parse(text).text == text
        except Unopenable as error:
            assert error.__context__ is None  # noqa: PT017  # most texts are none, a few are


def test_a_secret_is_known_again_by_its_keyed_hash() -> None:
    stored = PEPPER.hash("key", "secret")
    assert PEPPER.matches("key", "secret", stored)
    assert not PEPPER.matches("session", "secret", stored)
    assert not PEPPER.matches("key", "secreT", stored)
    assert not Pepper(Secret(b"q" * 32)).matches("key", "secret", stored)
    assert PEPPER.hash("ab", "c") != PEPPER.hash("a", "bc")
    for wrong in (b"", stored[:-1], stored + b"x", None, stored.hex()):
        assert not PEPPER.matches("key", "secret", wrong)  # type: ignore[arg-type]
    assert not PEPPER.matches("key", "\ud800", stored)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60).map(lambda line: line + "\n"))
def test_a_note_gives_back_the_text_that_was_signed(text: str) -> None:
    assert verify(SIGNER.sign(text), SIGNER.vkey) == text


@pytest.mark.parametrize("text", ["", "no end", "tab\there\n", "zero\x00\n", "half \ud800\n", "x" * (1 << 20) + "\n"])
def test_a_text_that_is_none_is_not_signed(text: str) -> None:
    with pytest.raises(Unsealable):
        SIGNER.sign(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\nb", "x" * 256])
def test_a_name_that_is_none_signs_nothing(name: str) -> None:
    with pytest.raises(Unsealable):
        Signer(name, Secret(b"s" * 32))


def test_a_note_changed_anywhere_or_cut_is_refused() -> None:
    for position in range(len(NOTE)):
        for changed in (NOTE[:position], NOTE[:position] + chr(ord(NOTE[position]) ^ 1) + NOTE[position + 1 :]):
            with pytest.raises(Unopenable) as caught:
                verify(changed, SIGNER.vkey)
            assert caught.value.__context__ is None


def test_signatures_of_others_are_passed_over_and_a_false_one_of_ours_refuses() -> None:
    text, line = NOTE.rsplit("\n\n", 1)
    other = Signer("other", Secret(b"o" * 32))
    theirs = other.sign(text + "\n").rsplit("\n\n", 1)[1]
    both = f"{text}\n\n{theirs}{line}"
    assert verify(both, SIGNER.vkey) == verify(both, other.vkey) == text + "\n"
    raw = bytearray(base64.b64decode(line.split()[2]))
    raw[-1] ^= 1
    false = f"— example.org/log {base64.b64encode(raw).decode()}\n"
    for lines in (
        false,
        line + false,
        false + line,
        theirs,
        "",
        line * 17,
        line.replace(" ", "  "),
        line.replace("—", "-"),
        "— a AAAA\n" + line,
    ):
        with pytest.raises(Unopenable):
            verify(f"{text}\n\n{lines}", SIGNER.vkey)
    assert verify(f"{text}\n\n{line * 16}", SIGNER.vkey)


def test_base64_counts_in_its_one_form_only() -> None:
    head, signature = NOTE.rstrip("\n").rsplit(" ", 1)
    loose = signature[:-2] + chr(ord(signature[-2]) + 1) + "="
    assert base64.b64decode(loose) == base64.b64decode(signature)
    with pytest.raises(Unopenable):
        verify(f"{head} {loose}\n", SIGNER.vkey)


@pytest.mark.parametrize(
    "change",
    [
        lambda key: "",
        lambda key: key.replace("example", "exemple"),
        lambda key: key.upper(),
        lambda key: key[:-4],
        lambda key: key + "AAAA",
        lambda key: key.replace("+A", "+B", 1),
        lambda key: Signer("example.org/log", Secret(b"t" * 32)).vkey,
    ],
)
def test_another_key_verifies_nothing(change: object) -> None:
    vkey = change(SIGNER.vkey)  # type: ignore[operator]
    with pytest.raises(Unopenable):
        verify(NOTE, vkey)
    with pytest.raises(Unopenable):
        verify_bytes(b"x", SIGNER.sign_bytes(b"x"), vkey)


@given(st.text(max_size=200) | st.text(max_size=60).map(lambda rest: NOTE[:40] + rest))
def test_random_texts_are_no_notes(text: str) -> None:
    with pytest.raises(Unopenable):
        verify(text, SIGNER.vkey)
    with pytest.raises(Unopenable):
        verify(NOTE, text)


def test_a_signed_byte_string_is_never_a_note() -> None:
    signature = SIGNER.sign_bytes(b"x\n")
    verify_bytes(b"x\n", signature, SIGNER.vkey)
    line = f"— example.org/log {base64.b64encode(bytes.fromhex(SIGNER.vkey.split('+')[1]) + signature).decode()}\n"
    with pytest.raises(Unopenable):
        verify(f"x\n\n{line}", SIGNER.vkey)
    of_note = base64.b64decode(SIGNER.sign("x\n").split()[-1])[4:]
    for content, made in ((b"x\n", of_note), (b"y\n", signature), (b"x\n", signature[:-1]), (b"x\n", None)):
        with pytest.raises(Unopenable):
            verify_bytes(content, made, SIGNER.vkey)  # type: ignore[arg-type]
