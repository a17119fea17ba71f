"""Accounts, the owners of keys, credits and jobs."""
