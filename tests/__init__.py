"""Amanah's tests: they mirror the tree, and each name is a requirement."""
