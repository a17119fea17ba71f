"""Secrets of sessions and one-time links: 256 random bits. Only their SHA-256 is stored."""

import hashlib
import secrets


def new_secret() -> str:
    """Make a new secret, fit for URLs and cookies."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """SHA-256 in hex. The secrets are random, so a fast hash without salt is safe."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
