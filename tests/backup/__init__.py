"""Copies of a vault made, proven and put back: what was closed stays closed, and nothing opens that should not."""
