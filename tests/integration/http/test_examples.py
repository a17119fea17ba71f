"""The examples of docs/examples.md, as they stand, against a running API."""

import asyncio
import re
import shutil
import sys
from pathlib import Path

import pytest

from serve_app.http.app import create_app
from serve_app.services import Services
from tests.support.asgi import served
from tests.support.world import ROOT, Customer, tone

PAGE = (ROOT / "docs" / "examples.md").read_text("utf-8")
CLIENT = ROOT / "clients" / "python" / "src"


def example(heading: str) -> str:
    """The code under a heading."""
    found = re.search(rf"^##+ {heading}\n.*?```\w+\n(.*?)```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


async def run(command: list[str], folder: Path, services: Services, customer: Customer) -> str:
    """Run a program as a customer would, with `interview.mp3` beside it. Returns what it prints."""
    (folder / "interview.mp3").write_bytes(tone(3))
    async with served(create_app(services)) as port:
        environment = {
            "RS_URL": f"http://127.0.0.1:{port}", "RS_KEY": customer.secret, "PYTHONPATH": str(CLIENT),
            "PATH": "/usr/bin:/bin:/usr/local/bin", "RECORDING_URL": "https://files.example.com/a?b=1&c=2",
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, problems = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, problems.decode() + out.decode()
    return out.decode()


PROGRAMS = [
    ("curl", "curl", ["sh", "example"]),
    ("Python", sys.executable, [sys.executable, "example"]),
    ("Python, asynchronous", sys.executable, [sys.executable, "example"]),
    ("JavaScript", "node", ["node", "example.mjs"]),
    ("Java", "java", ["java", "Example.java"]),
]


@pytest.mark.usefixtures("executor")
@pytest.mark.parametrize(("heading", "tool", "command"), PROGRAMS, ids=[heading for heading, *_ in PROGRAMS])
async def test_an_example_reads_the_recommendation(
    tmp_path: Path, services: Services, customer: Customer, heading: str, tool: str, command: list[str]
) -> None:
    """It uploads the recording, waits for the end and prints what the fake assessor says."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    (tmp_path / command[1]).write_text(example(heading), "utf-8")
    printed = await run(command, tmp_path, services, customer)
    assert set(re.findall(r"insufficient_evidence|advance|hold|reject", printed)) == {"insufficient_evidence"}


async def test_an_address_is_sent_as_the_example_says(tmp_path: Path, services: Services, customer: Customer) -> None:
    """Its own query is escaped; the answer names the job, and nothing is charged yet."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    printed = await run(["sh", "-c", example("A recording that lies elsewhere")], tmp_path, services, customer)
    assert '"credits_charged":0' in printed.replace(" ", "")
