"""Backends of the diarizer role."""
