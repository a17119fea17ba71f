"""The tool that takes pictures of every page for the documentation."""

import struct
from pathlib import Path

import httpx
import pytest
import typer

from deployments.replica.local_pool import LocalPool
from scripts.launcher.screenshots import OWN, PUBLIC, SIZES, take_all
from serve_app.executor import Executor
from serve_app.services import Services
from tests.support.calls import submit
from tests.support.world import Customer


def sizes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Width and height of each PNG in a folder, by its name."""
    return {path.stem: struct.unpack(">II", path.read_bytes()[16:24]) for path in folder.glob("*.png")}


@pytest.mark.usefixtures("browser")
async def test_there_is_a_picture_of_every_page_at_both_widths(
    client: httpx.AsyncClient,
    services: Services,
    pool: LocalPool,
    customer: Customer,
    base_url: str,
    tmp_path: Path,
) -> None:
    """Each has the size that its name says."""
    job_id = (await submit(client, customer)).json()["job_id"]
    await Executor(services, pool).run_next()
    await take_all(base_url, customer.secret, job_id, tmp_path)
    names = [*PUBLIC, *OWN, "scorecard"]
    assert sizes(tmp_path) == {f"{name}-{size}": SIZES[size] for name in names for size in SIZES}


@pytest.mark.usefixtures("browser")
async def test_a_page_that_does_not_open_stops_the_tool(base_url: str, tmp_path: Path) -> None:
    """Without a valid key no picture of a sign-in page is passed off as another page's."""
    with pytest.raises(typer.BadParameter, match="401"):
        await take_all(base_url, "no key", "job_1", tmp_path)
