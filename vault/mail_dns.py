"""Asks DNS for the records that a message is graded by: the system's own resolver, three seconds for each answer."""

from typing import Final

import dns.exception
import dns.resolver

from vault.breach_reports.mail.lookups import Unanswered

PATIENCE: Final = 3.0


class Dns:
    """The system's resolver; read anew where it was not there before, so that a network that comes later is found."""

    def txt(self, name: str) -> list[bytes]:
        """Return the TXT records of a name, each in one piece; none where there is no such name. Raises Unanswered."""
        try:
            found = dns.resolver.Resolver().resolve(name, "TXT", lifetime=PATIENCE, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError, UnicodeError):
            raise Unanswered from None
        return [b"".join(each.strings) for each in found]
