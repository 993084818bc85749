"""By which means people are contacted and in which kind of field the address of each lies (article 6.4), and where is published (6.1)."""

from collections.abc import Mapping
from typing import Final

from vault.policy.facts import Channel

CHANNELS: Final[Mapping[Channel, str]] = {
    "sms": "mobile",
    "whatsapp": "mobile",
    "call": "mobile",
    "email": "email",
    "post": "national_address",
}
"""The kind of field that holds the address of each channel."""

PUBLISHED: Final[tuple[Channel, ...]] = ("website", "social", "print", "press", "broadcast")
"""The channels in which something is published."""
