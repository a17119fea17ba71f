"""The pages for people: each a file of `serve_app/web` in the one head they share."""

from pathlib import Path

WEB = Path(__file__).parents[2] / "web" / "templates"
BASE = (WEB / "base.html").read_text("utf-8")


def page(name: str) -> str:
    """A whole page, with its places for texts still empty."""
    return BASE.replace("{page}", (WEB / f"{name}.html").read_text("utf-8"))
