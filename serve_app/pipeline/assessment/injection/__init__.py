"""Prompt injection: which words address the assessor, and what follows from it."""
