"""A job's life: accepted and charged, queued, run, settled. The row is the truth and the only queue."""
