"""Tests of vault/officer."""
