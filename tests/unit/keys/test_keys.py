"""The format of API keys."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.keys.service import BASE62, digest, new_secret, well_formed


def test_a_new_key_has_the_promised_form() -> None:
    """A key is the prefix, the scope and 32 base62 characters."""
    assert re.fullmatch(r"lv_sk_recruitscreen_[0-9A-Za-z]{32}", new_secret("recruitscreen"))


def test_a_new_key_is_well_formed() -> None:
    """A new key has a valid checksum."""
    assert all(well_formed(new_secret(scope)) for scope in ("all", "recruitscreen", "a-b-1"))


@given(position=st.integers(0, 31), replacement=st.sampled_from(BASE62))
def test_one_wrong_character_is_noticed_without_a_lookup(position: int, replacement: str) -> None:
    """The checksum detects every single-character error."""
    secret = new_secret("all")
    index = len(secret) - 32 + position
    mistyped = secret[:index] + replacement + secret[index + 1 :]
    assert well_formed(mistyped) == (mistyped == secret)


@pytest.mark.parametrize(
    "junk", ["", "lv_sk_", "lv_sk_all_", "Bearer x", "lv_sk_ALL_" + "a" * 32, "lv_sk_all_" + "ü" * 32]
)
def test_other_strings_are_not_keys(junk: str) -> None:
    """Strings of another format are not well formed."""
    assert not well_formed(junk)


def test_only_the_digest_identifies_a_key() -> None:
    """The stored digest is the SHA-256 of the whole raw key."""
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
