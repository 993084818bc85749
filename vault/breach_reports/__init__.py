"""Breach reports (article 8): what anybody may tell without a name, and what officers do about it."""
