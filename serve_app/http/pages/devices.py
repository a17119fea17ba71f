"""What a browser calls itself, in words that its user knows."""

import re

BROWSERS = {
    "Edg": "Edge",
    "EdgA": "Edge",
    "EdgiOS": "Edge",
    "OPR": "Opera",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "Chrome": "Chrome",
    "HeadlessChrome": "Chrome",
    "CriOS": "Chrome",
    "Safari": "Safari",
}
"""By the mark in a User-Agent. Chrome's has Safari's mark, Edge's has both, so the order counts."""
SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "Linux": "Linux",
}


def device_name(user_agent: str) -> str:
    """For example `Firefox on Linux`. What is not known is shown as it is, cut."""
    browser = next((name for mark, name in BROWSERS.items() if re.search(rf"\b{mark}/", user_agent)), None)
    system = next((name for mark, name in SYSTEMS.items() if mark in user_agent), None)
    if browser is None:
        return user_agent[:60] or "Unknown browser"
    return f"{browser} on {system}" if system else browser
