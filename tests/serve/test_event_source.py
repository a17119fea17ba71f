"""A browser follows a job over a line that breaks, on the running stack."""

import json
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import httpx

from tests.support.event_source import EventSource
from tests.support.sse import events
from tests.support.world import tone

BREAKS_AFTER = (700, 1, 600)
"""Bytes of an answer that pass on the first connections before the line breaks, inside an event or a head."""


def test_a_browser_reads_the_whole_history_over_a_line_that_breaks(client: httpx.Client) -> None:
    """With nothing but the token in the address: every event once and in order, and it stops at the job's end."""
    files = {"file": ("call.wav", tone(10), "audio/wav")}
    job_id = client.post("/v1/recruitscreen/jobs", data={"role_title": "Engineer"}, files=files).json()["job_id"]
    address = client.post(f"/v1/jobs/{job_id}/stream-token").json()["events_url"]
    with broken_line(client.base_url.port or 80) as port:
        browser = EventSource(f"http://127.0.0.1:{port}{address}")
        received = list(browser)
    assert [(message.type, json.loads(message.data)) for message in received] == stored_events(client, job_id)
    assert [int(message.last_event_id) for message in received] == list(range(1, len(received) + 1))
    assert browser.connections >= len(BREAKS_AFTER) + 2  # the broken ones, one to the end, and one that gets the 204
    assert browser.refused_with == 204


def stored_events(client: httpx.Client, job_id: str) -> list[tuple[str, object]]:
    """The history as a late subscriber reads it in one go."""
    return [(name, data) for name, data in events(client, f"/v1/jobs/{job_id}/events")]


@contextmanager
def broken_line(upstream: int) -> Iterator[int]:
    """A port that passes everything to `upstream` and breaks the first connections."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        threading.Thread(target=_accept, args=(server, upstream), daemon=True).start()
        yield server.getsockname()[1]


def _accept(server: socket.socket, upstream: int) -> None:
    breaks = iter(BREAKS_AFTER)
    with suppress(OSError):  # the test is over
        while True:
            near, _ = server.accept()
            threading.Thread(target=_pass, args=(near, upstream, next(breaks, None)), daemon=True).start()


def _pass(near: socket.socket, upstream: int, at_most: int | None) -> None:
    """Carry bytes both ways until an end closes, or `at_most` came back."""
    with suppress(OSError), near, socket.create_connection(("127.0.0.1", upstream)) as far:
        left = at_most
        while left is None or left > 0:
            for end in select.select([near, far], [], [])[0]:
                piece = end.recv(65_536 if end is near or left is None else left)
                if not piece:
                    return
                (far if end is near else near).sendall(piece)
                left = left if end is near or left is None else left - len(piece)


def test_a_page_of_another_origin_passes_the_proxy(client: httpx.Client) -> None:
    """Preflight, answer, error, stream and the proxy's own error name the origin once, so that a page can read them."""
    page = {"Origin": "https://app.customer.example"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    files = {"file": ("call.wav", tone(2), "audio/wav")}
    accepted = client.post("/v1/recruitscreen/jobs", data={"role_title": "x"}, files=files, headers=page)
    token = client.post(f"{accepted.json()['status_url']}/stream-token", headers=page).json()
    answers = [
        client.options("/v1/recruitscreen/jobs", headers=page | asked),
        accepted,
        client.get("/v1/jobs/job_unknown", headers=page),
        httpx.get(f"{str(client.base_url).rstrip('/')}{token['events_url']}", headers=page, timeout=60),
        client.get("/v1/credits", headers=page | {"X-Request-Timeout-Seconds": "0.0001"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 202, 404, 200, 503]
    assert [answer.headers.get_list("access-control-allow-origin") for answer in answers] == [["*"]] * 5
