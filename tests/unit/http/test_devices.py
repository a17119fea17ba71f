"""Names of browsers."""

import pytest

from serve_app.http.pages.devices import device_name

SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Safari/604.1"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (SAFARI, "Safari on iPhone"),
        (CHROME, "Chrome on Windows"),
        (f"{CHROME} Edg/130.0", "Edge on Windows"),
        (CHROME.replace("Chrome", "HeadlessChrome"), "Chrome on Windows"),
        (SAFARI.replace("Version/18.0", "CriOS/130.0"), "Chrome on iPhone"),
        (SAFARI.replace("Version/18.0", "FxiOS/130.0"), "Firefox on iPhone"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("x" * 99, "x" * 60),
        ("", "Unknown browser"),
    ],
)
def test_a_browser_is_named_as_its_user_knows_it(user_agent: str, name: str) -> None:
    """Browser and system, whatever other browsers it claims to be like."""
    assert device_name(user_agent) == name
