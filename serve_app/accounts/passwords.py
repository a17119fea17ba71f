"""Passwords: which are accepted, and their argon2id hashes."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from zxcvbn import zxcvbn

from serve_app.errors import InvalidField

MIN_LENGTH = 12
MAX_LENGTH = 200
ESTIMATED_LENGTH = 72
"""Characters that the strength is estimated from: zxcvbn takes no more."""
SAFE_SCORE = 3
"""On zxcvbn's scale 0 to 4: more than 10^8 guesses. It knows 30,000 common passwords, names, words, dates and keyboard
walks."""
_hasher = PasswordHash((Argon2Hasher(),))
_threads = ThreadPoolExecutor(2, thread_name_prefix="passwords")
"""Two at once: each hash takes 64 MiB and a quarter of a second of a core."""


def check_password(password: str, email: str) -> None:
    """Raise `InvalidField` for a password that is short or easy to guess. `email` is known to whoever guesses."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise InvalidField(
            f"The password has {len(password)} characters. Choose one with {MIN_LENGTH} to {MAX_LENGTH}.", "password"
        )
    known = [email, *email.replace("@", ".").split("."), "recruitscreen"]
    estimate = zxcvbn(password[:ESTIMATED_LENGTH], user_inputs=known)
    if estimate["score"] < SAFE_SCORE:
        feedback = estimate["feedback"]
        advice = " ".join(filter(None, [feedback["warning"], *feedback["suggestions"]]))
        raise InvalidField(f"This password is easy to guess. {advice}".strip(), "password")


async def hash_password(password: str) -> str:
    """The argon2id hash of a password."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, password)


async def is_password(password: str, stored: str | None) -> bool:
    """Whether the stored hash is that of the password. Takes as long when there is none."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _verify, password, stored)


def _verify(password: str, stored: str | None) -> bool:
    matches = len(password) <= MAX_LENGTH and _hasher.verify(password, stored or _nobodys())
    return matches and stored is not None


@cache
def _nobodys() -> str:
    """Compared where there is no member or no password, so that the time of an answer does not tell them apart."""
    return _hasher.hash("")
