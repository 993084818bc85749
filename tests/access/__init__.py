"""The door under attack: what it gives, what it refuses, and what happens while it breaks."""
