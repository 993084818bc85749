"""The access classes a route can declare: everybody, a holder of a scope, or a signed-in person with a scope.

Invariant: a route without one of these does not exist, so nothing is open by omission.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Public:
    """No credential is asked, and none that comes along is looked at."""

    @property
    def label(self) -> str:
        """Return how the OpenAPI file and the docs write this class."""
        return "public"


@dataclass(frozen=True, slots=True)
class Needs:
    """A caller, system or person, who holds the scope."""

    scope: str

    @property
    def label(self) -> str:
        """Return how the OpenAPI file and the docs write this class."""
        return f"needs:{self.scope}"


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in person who holds the scope; an API client never passes."""

    scope: str

    @property
    def label(self) -> str:
        """Return how the OpenAPI file and the docs write this class."""
        return f"person:{self.scope}"


Access = Public | Needs | Person
