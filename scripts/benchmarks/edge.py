"""Latency and memory of the API: the status page, uploads, and a thousand open event streams."""

import asyncio
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from pydantic import SecretStr

from scripts.benchmarks.cold_start import named, replicas
from scripts.launcher.stack import Stack
from serve_app.http.app import create_app
from serve_app.jobs.dispatch import NoDispatcher
from serve_app.model_pool import status
from serve_app.model_pool.status import RosterEntry
from serve_app.services import build_services
from serve_app.settings import Settings

MIB = 1 << 20
OPENING_S = 240.0
AT_ONCE = 20
"""Streams that are opened at the same time."""
UPLOAD_BYTES = 100_000_000 - 200  # the limit of 100 MB includes the multipart framing
PRODUCT = "recruitscreen"


@dataclass
class Memory:
    """Resident memory of some processes during a measurement, in MiB."""

    before: float
    peak: float

    @property
    def extra(self) -> float:
        """Peak above the level before."""
        return self.peak - self.before


async def status_ms(stack: Stack, rounds: int = 200) -> dict[str, float]:
    """Latency of the status page: in process with an uncached database read, and over HTTP through the proxy."""
    environment = stack.environment
    settings = Settings(
        database_url=environment["DATABASE_URL"], redis_url=environment["REDIS_URL"], secret_key=SecretStr("bench")
    )
    roster = [RosterEntry(role, f"fake-{role}", 1) for role in ("asr", "diarizer", "assessor")]
    services = build_services(settings, NoDispatcher(), roster)
    status.CACHE_S = -1.0  # read the database every time
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(services)), base_url="http://bench"
    ) as client:
        at_app = [await _get_ms(client, "/v1/models/status") for _ in range(rounds)]
    await services.close()
    async with httpx.AsyncClient(base_url=stack.base_url) as client:
        through = [await _get_ms(client, "/v1/models/status") for _ in range(rounds)]
    return {
        "status_ms_p50": statistics.median(at_app),
        "status_ms_p95": statistics.quantiles(at_app, n=20)[-1],
        "status_through_proxy_ms_p50": statistics.median(through),
    }


def upload_memory(stack: Stack, key: str, folder: Path, at_once: int = 2) -> dict[str, float]:
    """Extra memory of proxy and ingress replica per 100 MB upload."""
    path = folder / "upload.wav"
    path.write_bytes(_wav_header(UPLOAD_BYTES) + bytes(UPLOAD_BYTES - 44))

    def send(_: int) -> int:
        with path.open("rb") as file:
            answer = httpx.post(
                f"{stack.base_url}/v1/{PRODUCT}/quote", files={"file": file}, timeout=120,
                headers={"Authorization": f"Bearer {key}"},
            )  # fmt: skip
        return answer.status_code

    with sampled_memory(proxies()) as proxy, sampled_memory(replicas(PRODUCT, "Ingress")) as replica:
        with ThreadPoolExecutor(at_once) as threads:
            codes = list(threads.map(send, range(at_once)))
        time.sleep(0.5)
    assert codes == [200] * at_once, codes
    path.unlink()
    return {
        "upload_extra_mib_per_100mb": (proxy.extra + replica.extra) / at_once,
        "upload_extra_mib_per_100mb_proxy": proxy.extra / at_once,
        "upload_extra_mib_per_100mb_replica": replica.extra / at_once,
        "uploads_at_once": at_once,
    }


def proxies() -> Iterator[psutil.Process]:
    """Processes of Serve's proxy actor, or of HAProxy where it replaces the proxy."""
    yield from named("ProxyActor")
    yield from named("HAProxyManager")
    yield from (process for process in psutil.process_iter(["name"]) if process.info["name"] == "haproxy")


@contextmanager
def sampled_memory(processes: Iterator[psutil.Process]) -> Iterator[Memory]:
    """Sample the memory of processes at 50 Hz."""
    sampled = list(processes)

    def resident() -> float:
        return float(sum(process.memory_info().rss for process in sampled)) / MIB

    memory, over = Memory(resident(), 0.0), threading.Event()

    def follow() -> None:
        while not over.wait(0.02):
            memory.peak = max(memory.peak, resident())

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield memory
    finally:
        over.set()
        thread.join()


async def streams(stack: Stack, key: str, recording: bytes, count: int) -> dict[str, float]:
    """Latency of a GET with and without `count` open event streams of one running job."""
    headers = {"Authorization": f"Bearer {key}"}
    limits = httpx.Limits(max_connections=count + 10)
    async with httpx.AsyncClient(base_url=stack.base_url, headers=headers, timeout=60, limits=limits) as client:
        answer = await client.post(f"/v1/{PRODUCT}/jobs", data={"role_title": "Engineer"}, files={"file": recording})
        url = answer.raise_for_status().json()["events_url"]
        job = url.removesuffix("/events")
        await _wait_for_inference(client, job)
        alone = [await _get_ms(client, "/v1/credits") for _ in range(30)]
        over, opened = asyncio.Event(), asyncio.Semaphore(0)
        began, readers = time.monotonic(), []
        async with asyncio.timeout(OPENING_S):
            for n in range(count):
                readers.append(asyncio.create_task(_read(client, url, opened, over)))
                if n >= AT_ONCE:
                    await opened.acquire()
            for _ in range(min(count, AT_ONCE)):
                await opened.acquire()
        opened_s = time.monotonic() - began
        crowded = [await _get_ms(client, "/v1/credits") for _ in range(30)]
        over.set()
        await client.post(f"{job}/cancel")
        await asyncio.gather(*readers, return_exceptions=True)
    return {
        "streams": count,
        "streams_opened_per_s": count / opened_s,
        "get_ms_p50_alone": statistics.median(alone),
        "get_ms_p50_with_streams": statistics.median(crowded),
        "get_ms_max_with_streams": max(crowded),
    }


async def _wait_for_inference(client: httpx.AsyncClient, job: str) -> None:
    """Wait until the job runs and its first events are sent."""
    while (await client.get(job)).raise_for_status().json()["status"] != "processing_inference":  # noqa: ASYNC110 — over HTTP
        await asyncio.sleep(0.5)
    await asyncio.sleep(5)


async def _read(client: httpx.AsyncClient, url: str, opened: asyncio.Semaphore, over: asyncio.Event) -> None:
    async with client.stream("GET", url) as answer:
        assert answer.status_code == 200, answer.status_code
        lines = answer.aiter_lines()
        await anext(lines)
        opened.release()
        async for _ in lines:
            if over.is_set():
                return


async def _get_ms(client: httpx.AsyncClient, path: str) -> float:
    began = time.perf_counter()
    (await client.get(path)).raise_for_status()
    return (time.perf_counter() - began) * 1000


def _wav_header(size: int) -> bytes:
    """A WAV header of 44 bytes: 16 kHz, 16 bit, mono, a file of `size` bytes."""
    rate = 16_000
    fmt = (1).to_bytes(2, "little") * 2 + rate.to_bytes(4, "little") + (2 * rate).to_bytes(4, "little")
    fmt += (2).to_bytes(2, "little") + (16).to_bytes(2, "little")
    riff = b"RIFF" + (size - 8).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    return riff + fmt + b"data" + (size - 44).to_bytes(4, "little")
