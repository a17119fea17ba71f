"""Which passwords are accepted, and their hashes."""

import pytest

from serve_app.accounts.passwords import MAX_LENGTH, check_password, hash_password, is_password
from serve_app.errors import InvalidField

ADA = "ada.lovelace@example.com"


@pytest.mark.parametrize("password", ["seven lamps over copper hills", "qK4!vz9&Lm2#", "ünïcode lämpchen und krähe"])
def test_a_password_that_is_hard_to_guess_is_accepted(password: str) -> None:
    """Words, signs or both; capitals and digits are not asked for."""
    check_password(password, ADA)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("", "has 0 characters. Choose one with 12 to 200"),
        ("elevenchars", "has 11 characters"),
        ("x" * (MAX_LENGTH + 1), "has 201 characters"),
        ("passwordpassword", "easy to guess. Repeats"),
        ("qwertyuiopasdf", "easy to guess"),
        ("123456789012", "easy to guess"),
        (ADA, "easy to guess"),
        ("recruitscreen", "easy to guess"),
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused_with_the_reason(password: str, words: str) -> None:
    """Short, long, common, a walk over the keyboard, or made of what everybody knows of the member."""
    with pytest.raises(InvalidField, match="password") as refusal:
        check_password(password, ADA)
    assert words in refusal.value.message
    assert refusal.value.field == "password"


async def test_only_the_password_itself_matches_its_hash() -> None:
    """Hashes are argon2id and differ for equal passwords; without a hash nothing matches."""
    first, again = await hash_password("seven lamps"), await hash_password("seven lamps")
    assert first.startswith("$argon2id$")
    assert first != again
    assert await is_password("seven lamps", first)
    assert not await is_password("seven lamp", first)
    assert not await is_password("", None)
