"""Measures transcripts: the service beside a plain script with the same weights, on the same recordings."""
