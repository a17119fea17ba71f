"""The receivers of docs/webhooks.md verify what the service signs, and nothing else."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from serve_app.webhooks.signing import derive_keys
from tests.support.world import ROOT

PAGE = (ROOT / "docs" / "webhooks.md").read_text("utf-8")
KEYS = derive_keys("a secret", "whs_1")
BODY = '{"type":"job.completed","data":{"job_id":"job_ü"}}'


def example(heading: str) -> str:
    """The code under a heading."""
    found = re.search(rf"### {heading}\n.*?```\w+\n(.*?)```", PAGE, flags=re.DOTALL)
    assert found
    return found[1]


def run_javascript(folder: Path, body: str, timestamp: int, signature: str) -> bool:
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(timestamp), "webhook-signature": signature}
    call = f"console.log(verifyWebhook({json.dumps(body)}, {json.dumps(headers)}, {json.dumps(KEYS.secret)}).type)"
    done = subprocess.run(
        ["node", "-e", f"{example('JavaScript')}\n{call}"], capture_output=True, text=True, check=False
    )
    return done.stdout == "job.completed\n"


def run_svix(folder: Path, body: str, timestamp: int, signature: str) -> bool:
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(timestamp), "webhook-signature": signature}
    call = f"new Webhook({json.dumps(KEYS.secret)}).verify({json.dumps(body)}, {json.dumps(headers)}).type"
    script = f'const {{ Webhook }} = require("svix"); console.log({call})'
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=False)
    if "Cannot find module 'svix'" in done.stderr:
        pytest.skip("the npm package svix is not installed: npm install svix, and set NODE_PATH")
    return done.stdout == "job.completed\n"


def run_shell(folder: Path, body: str, timestamp: int, signature: str) -> bool:
    (folder / "body.json").write_text(body, "utf-8")
    values = {"id": "evt_1", "timestamp": str(timestamp), "signature": signature, "secret": KEYS.secret}
    environment = values | {"PATH": "/usr/bin:/bin:/usr/local/bin"}
    done = subprocess.run(
        ["sh", "-c", example("Shell")], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout in {"valid\n", "invalid\n"}, done.stderr
    return done.stdout == "valid\n"


@pytest.mark.parametrize(("tool", "verify"), [("node", run_javascript), ("node", run_svix), ("openssl", run_shell)])
def test_an_example_tells_real_from_forged(
    tmp_path: Path, tool: str, verify: Callable[[Path, str, int, str], bool]
) -> None:
    """The right body passes with two secrets' signatures; a changed body and another secret do not."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    now = int(time.time())
    other = derive_keys("a secret", "whs_2").sign("evt_1", now, BODY.encode())
    signature = f"{other} {KEYS.sign('evt_1', now, BODY.encode())}"
    assert verify(tmp_path, BODY, now, signature)
    assert not verify(tmp_path, BODY + " ", now, signature)
    assert not verify(tmp_path, BODY, now, other)
