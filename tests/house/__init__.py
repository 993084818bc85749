"""House tests: what holds for the tree as a whole, whatever room a change is in."""
