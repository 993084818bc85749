"""Tests of the life of the keys."""
