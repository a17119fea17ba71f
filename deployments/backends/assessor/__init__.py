"""Backends of the assessor role."""
