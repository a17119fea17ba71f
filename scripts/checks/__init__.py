"""Checks that ruff, mypy and import-linter do not offer."""
