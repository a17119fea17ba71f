"""Speed and memory, as ratios against a baseline of the same run: what `make bench` does."""
