"""Write the synchronous client from the asynchronous one: one source, so the two cannot differ.

The files of `recruitscreen_client/aio` are edited by hand. `python -m scripts.checks.sync_client` writes those of the
same names beside the folder; a test fails while they differ.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "clients" / "python" / "src" / "recruitscreen_client"
SOURCES = ("client.py", "transport.py", "webhook_endpoints.py")
NOTE = "# Written from aio/{name} by `python -m scripts.checks.sync_client`. Edit that file.\n"
WORDS = {
    r"import asyncio\n": "import time\n",
    r"asyncio\.sleep": "time.sleep",
    r"async (def|with|for) ": r"\1 ",
    r"\(await (self\.[^\n]+\))\)(?=[.\[])": r"\1",
    r"await ": "",
    r"Awaitable\[None\]": "None",
    r"\bAsync(RecruitScreen|Client|BaseTransport|Iterator)\b": r"\1",
    r"\basync(contextmanager)\b": r"\1",
    r"__a(enter|exit)__": r"__\1__",
    r"\ba(close|read|iter_bytes)\b": r"\1",
    r"recruitscreen_client\.aio\.": "recruitscreen_client.",
    r"  # noqa: ASYNC[^\n]*": "",
}


def synchronous(source: str, name: str) -> str:
    """The synchronous form of an asynchronous file."""
    for pattern, replacement in WORDS.items():
        source = re.sub(pattern, replacement, source)
    fixes = ("--select=I,F401,F811,UP028", "--unsafe-fixes")
    tidied = _ruff("check", "--fix", "--quiet", "--exit-zero", *fixes, source=NOTE.format(name=name) + source)
    return _ruff("format", "--quiet", source=tidied)


def _ruff(*arguments: str, source: str) -> str:
    command = [sys.executable, "-m", "ruff", *arguments, f"--stdin-filename={PACKAGE / 'client.py'}", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True, cwd=ROOT).stdout


if __name__ == "__main__":
    for file in SOURCES:
        (PACKAGE / file).write_text(synchronous((PACKAGE / "aio" / file).read_text("utf-8"), file), "utf-8")
