"""Tests of the floor where rows live."""
