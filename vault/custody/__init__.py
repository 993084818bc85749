"""The life of the keys: rotated, rewrapped, retired by two people, and the named copies of the file that holds them."""
