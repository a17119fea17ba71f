"""Submit the bundled interview to the running API and print its scorecard."""

from typing import Any

from recruitscreen_client import RecruitScreen
from recruitscreen_client.live import follow
from recruitscreen_client.scorecard import card
from rich.console import Console

from serve_app.settings import Paths

SAMPLE = Paths().config_dir / "sample" / "interview.ogg"
ROLE_TITLE = "Backend Engineer"


def run_sample(base_url: str, api_key: str, console: Console) -> dict[str, Any]:
    """Submit, follow and print the job. Returns its final JSON. Raises `RecruitScreenError` if the API refuses it."""
    with RecruitScreen(api_key, base_url) as client:
        submitted = client.submit(SAMPLE, ROLE_TITLE)
        console.print(
            f"Submitted [bold]{SAMPLE.name}[/] as {submitted['job_id']}: "
            f"{submitted['credits_charged']} credits charged, {submitted['credits_remaining']} remain"
        )
        job = follow(client, submitted["job_id"], console)
    console.print(card(job, transcript=True))
    return job
