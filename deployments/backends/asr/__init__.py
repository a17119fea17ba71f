"""Backends of the asr role."""
