"""A small server that answers as OpenAI-compatible endpoints do, and an assessor that asks it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from deployments.backends.assessor.assessor import Assessor
from deployments.backends.assessor.openai_llm import OpenAILLM

Answer = Callable[[dict[str, Any]], tuple[int, Any]]
"""Maps a chat request to status and body."""


class Endpoint:
    """What was asked of the server, and where it is."""

    def __init__(self, url: str, model: str = "judge") -> None:
        self.url, self.model = url, model
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []

    def llm(self, **options: Any) -> Assessor:
        """A backend that speaks to this server."""
        return Assessor(OpenAILLM(**{"name": "remote", "base_url": self.url, "model": self.model, **options}))


@contextmanager
def serving(answer: Answer) -> Iterator[Endpoint]:
    """A server in a thread; `answer` maps a chat request to status and body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            endpoint.keys.append(self.headers.get("Authorization"))
            self._send(200, {"data": [{"id": "judge"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            endpoint.asked.append(body)
            self._send(*answer(body))

        def _send(self, status: int, body: Any) -> None:
            sent = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint = Endpoint(f"http://127.0.0.1:{server.server_port}/v1")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def says(content: str) -> tuple[int, Any]:
    return 200, {"choices": [{"message": {"content": content}}]}


def sensible(body: dict[str, Any]) -> tuple[int, Any]:
    """Always finds the statement for level 4, the first sentence and the first passage; writes two short texts."""
    prompt, schema = body["messages"][0]["content"], body["response_format"]["json_schema"]["schema"]
    letter = next((line[0] for line in prompt.splitlines() if line.endswith(". level 4")), "A")
    known = {"passage": 1, "statement": letter, "sentence": 2, "summary": "Found a lock.", "submittal_note": "Ready."}
    return says(json.dumps({key: known[key] for key in schema["required"]}))


def loaded(llm: Assessor) -> Assessor:
    llm.load(lambda _loaded, _total: None)
    return llm
