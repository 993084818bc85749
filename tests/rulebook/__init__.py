"""Tests of the association-wide facts."""
