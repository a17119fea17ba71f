"""Safe text for a terminal: no markup and no control codes from the server."""

import re

from rich.text import Text

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(text: object, style: str = "") -> Text:
    """`text` without control characters, which could move the cursor or change the terminal."""
    return Text(CONTROL.sub("", str(text)), style)


def clock(seconds: float | None) -> str:
    """`m:ss`, or `h:mm:ss` from one hour. A dash for a length that is not known yet."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def words(name: str) -> str:
    """A code as words: `loading_weights` becomes `loading weights`."""
    return name.replace("_", " ")
