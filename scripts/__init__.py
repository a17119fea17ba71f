"""Commands of this repository: start it, look after it, check it."""
