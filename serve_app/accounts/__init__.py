"""Who owns keys, credits and jobs."""
