"""Fetch the recordings of jobs with a `source_url`, beside the jobs that run: claim, fetch, measure, charge, queue.

Runs in every executor process, in slots of its own, so that a slow server holds up no model. Any process may die: the
lease ends, and another one fetches the recording again.
"""

import asyncio
import logging
import socket
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress

import httpx

from serve_app.credits.ledger import credits_for
from serve_app.errors import Interrupted, LeaseLost, RecruitScreenError, Unavailable
from serve_app.jobs import lifecycle, settlement, source
from serve_app.jobs.lifecycle import Claim
from serve_app.jobs.source import Arrival
from serve_app.jobs.submit import UploadedFile
from serve_app.jobs.writer import JobWriter
from serve_app.services import Services
from serve_app.storage.download import Limits, fetch

log = logging.getLogger(__name__)

PER_ACCOUNT = 2
"""Downloads of one account at a time, so that the slow addresses of one do not take all slots."""
POLL_S = 2.0
"""Longest pause between two reads of the queue: nothing announces that another attempt has become due."""
RunNext = Callable[[], Awaitable[bool]]


class Downloader:
    """Fetches up to `downloads_per_executor` recordings at once.

    `client` must be one of `storage.download`. `run_next` runs one due job (`Executor.run_next`): a job whose recording
    has arrived need not wait for the sweeper.
    """

    def __init__(self, services: Services, client: httpx.AsyncClient, run_next: RunNext, name: str = "") -> None:
        self._services = services
        self._client = client
        self._run_next = run_next
        self._name = name or socket.gethostname()
        self._running: set[asyncio.Future[object]] = set()
        self._downloads = 0

    async def run_forever(self) -> None:
        """Fetch what is due until canceled. A read of the queue that fails is logged; the next one tries again."""
        async with self._services.bus.waiting_for(source.TOPIC) as woken:
            while True:
                woken.clear()
                try:
                    while self._downloads < self._services.settings.downloads_per_executor and await self._start(woken):
                        pass
                except Unavailable as outage:
                    log.warning("the queue of downloads cannot be read: %s", outage)
                except Exception:
                    log.exception("the queue of downloads could not be read; the next try follows")
                with suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), POLL_S)

    async def download_next(self) -> bool:
        """Fetch the next recording. False when none is due, True when its job was queued, failed or requeued."""
        claim = await self._claim()
        if claim is not None:
            await self._download(claim)
        return claim is not None

    async def _start(self, woken: asyncio.Event) -> bool:
        claim = await self._claim()
        if claim is None:
            return False
        self._downloads += 1

        def ended(_: object) -> None:
            self._downloads -= 1
            woken.set()

        self._spawn(self._download(claim)).add_done_callback(ended)
        return True

    async def _claim(self) -> Claim | None:
        async with self._services.database.transaction() as session:
            return await lifecycle.claim_download(session, self._name, self._services.settings.lease_s, PER_ACCOUNT)

    async def _download(self, claim: Claim) -> None:
        writer = JobWriter(self._services.database, claim, self._services.settings.lease_s)
        with suppress(LeaseLost):  # its owner has canceled the job, or another process has it
            if claim.job.attempt > self._services.settings.max_attempts:  # its workers died too often to say why
                await self._fail(writer, Interrupted())
                return
            try:
                await self._receive(writer, await writer.while_leased(self._fetch(writer)))
            except LeaseLost:
                raise
            except Unavailable as outage:
                log.warning("the download of job %s was interrupted: %s", claim.job.id, outage)
                await self._fail(writer, Interrupted())
            except RecruitScreenError as failure:
                await self._fail(writer, failure)
            except Exception:
                log.exception("the download of job %s failed", claim.job.id)
                await self._fail(writer, Interrupted())
            else:
                self._spawn(self._run_next())

    async def _fetch(self, writer: JobWriter) -> Arrival:
        """The job's recording, stored and measured."""
        job, services = writer.job, self._services
        spec = services.catalog.get(job.vertical)
        limits = Limits(spec.input.max_bytes, services.settings.source_timeout_s)

        async def report(received: int, total: int | None) -> None:
            await writer.report(source.progress_note(received, total))

        with tempfile.TemporaryFile() as file:
            name = await fetch(self._client, job.source_url or "", file, limits, report)
            file.seek(0)
            blob = await services.blobs.put(file, name)
        try:
            media = await services.submitter.measure(spec, blob)
        except BaseException:
            await services.blobs.delete(blob.key)
            raise
        price = credits_for(media.sound_s, spec.price.credits_per_minute)
        return Arrival(blob, media, price, UploadedFile(file, name).name)

    async def _receive(self, writer: JobWriter, arrival: Arrival) -> None:
        credits_low = self._services.settings.credits_low
        try:
            await writer.write(lambda session, claim: source.arrive(session, claim, arrival, credits_low))
        except BaseException:
            await self._services.blobs.delete(arrival.blob.key)
            raise

    async def _fail(self, writer: JobWriter, failure: RecruitScreenError) -> None:
        settings = self._services.settings
        await writer.write(lambda session, claim: settlement.requeue_or_fail(session, claim, settings, failure))

    def _spawn(self, work: Awaitable[object]) -> asyncio.Future[object]:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task
