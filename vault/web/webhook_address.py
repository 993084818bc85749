"""What can be the address of a recipient's webhook: https, a host, and nothing in it that is a name, a password or a fragment."""

from urllib.parse import SplitResult, urlsplit

_SCHEME = "https"


def parse_webhook(text: str) -> SplitResult | None:
    """The parts of an address, None for a text that can be none."""
    try:
        target = urlsplit(text)
        port = target.port
    except ValueError:
        return None
    sound = text.isascii() and text.isprintable() and not any(mark in text for mark in ' \\"<>') and port != 0
    whole = target.scheme == _SCHEME and target.hostname and "@" not in target.netloc and not target.fragment
    return target if sound and whole else None
