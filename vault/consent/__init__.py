"""Consent per purpose, in the form the article asks for: given, verified by a second person, withdrawn; append-only."""
