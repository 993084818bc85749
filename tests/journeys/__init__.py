"""Journeys over real HTTP against the program as an operator starts it."""
