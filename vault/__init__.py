"""Amanah: a privacy-first data vault and consent service for charitable associations."""

__version__ = "0.1.0"
