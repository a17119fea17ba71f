"""Quality against references: what `make eval` does."""
