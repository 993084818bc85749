"""Tests of breach reports."""
