"""Pages for people: HTML from the templates that lie beside a room's code, in Arabic or English; none needs a script.

Invariants: every value is escaped; a name the template does not get is an error and never a blank; a page brings its one stylesheet along
and loads nothing from anywhere, which its content security policy (CSP 3) also makes the browser hold.
"""

import tomllib
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from types import SimpleNamespace

import msgspec
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from vault.web.answer import HTML, Answer
from vault.web.problems import Problem, Sentence

_STYLE = files("vault.web").joinpath("pages", "style.css").read_text(encoding="utf-8")


def _hash(style: str) -> str:
    return f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'"


_STYLE_HASH = _hash(_STYLE)

LONE: str = f"default-src 'none'; style-src {_STYLE_HASH}; form-action 'none'; base-uri 'none'"
"""The policy of a page that is a file of its own, which says it in its head."""
_CONTENT = f"default-src 'none'; style-src {_STYLE_HASH}; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _CONTENT,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Frame-Options": "DENY",
}


def headers_with(style: str) -> dict[str, str]:
    """The headers of a page that brings a second stylesheet along: its policy names that one's hash beside the shared one's."""
    return {"Content-Security-Policy": _CONTENT.replace(_STYLE_HASH, f"{_STYLE_HASH} {_hash(style)}")}


def policy_with(script: str) -> str:
    """Return the policy of a page that brings this one script along, by its hash; it can load and send nothing either."""
    return f"{_CONTENT}; script-src {_hash(script)}"


def read_words(package: str, *place: str) -> dict[str, Sentence]:
    """Return the texts in a file of a package, by name; `pages/words.toml` where none is said.

    Raises msgspec.ValidationError where a language is missing.
    """
    text = files(package).joinpath(*(place or ("pages", "words.toml"))).read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, Sentence])


class Pages:
    """The pages of one room: templates and `words.toml` in the folder `pages` of its package, the shared layout behind them."""

    __slots__ = ("_environment", "_words")

    def __init__(self, package: str) -> None:
        """Prepare the templates; each is compiled when it is first used."""
        own = [] if package == "vault.web" else [PackageLoader(package, "pages")]
        self._environment = Environment(
            loader=ChoiceLoader([*own, PackageLoader("vault.web", "pages")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals["style"] = Markup(_STYLE)  # noqa: S704  # our own file, whose hash the policy names
        words = read_words("vault.web") | read_words(package)
        self._environment.globals["texts"] = words  # for what a page says in both languages
        self._words = {
            language: SimpleNamespace(**{name: each.in_language(language) for name, each in words.items()}) for language in ("ar", "en")
        }

    def words(self, language: str) -> SimpleNamespace:
        """Return the texts in a language as attributes; templates get them as `t`."""
        return self._words["en" if language == "en" else "ar"]

    def answer(
        self, template: str, language: str, *, status: int | None = None, headers: Mapping[str, str] | None = None, **values: object
    ) -> Answer:
        """Return the page that `template` makes of `values`; in it `t` holds the texts and `language` is "ar" or "en"."""
        language = "en" if language == "en" else "ar"
        page = self.page(template, language, **values)
        return Answer(page, status=status, headers={**HEADERS, "Content-Language": language, **(headers or {})}, media_type=HTML)

    def page(self, template: str, language: str, **values: object) -> str:
        """Return the page as text, as `answer` sends it."""
        return self._environment.get_template(template).render(t=self._words[language], language=language, **values)


_OWN = Pages("vault.web")


def page_of_problem(problem: Problem, language: str, headers: Mapping[str, str]) -> Answer:
    """Return the page that tells a person what a problem document tells a program: what it is, what to do, and the request's number."""
    return _OWN.answer("problem.html", language, status=problem.status, headers=headers, problem=problem)
