"""Tests of the sheets of people."""
