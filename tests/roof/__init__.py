"""The roof: opening, reclosing, examining."""
