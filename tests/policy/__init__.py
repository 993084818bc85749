"""The articles, held to their cases and to properties that hold for every input."""
