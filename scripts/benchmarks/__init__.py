"""`make bench`: speed and memory of the model pool and the API, against a baseline of the same run."""
