"""Starts and stops the whole system on one machine: PostgreSQL, Valkey, Ray and the Serve application.

`make run` and the tests use the same class. It stops only the processes that it started: `ray stop` would stop every
Ray of this user.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
import yaml

from scripts.launcher.embedded import Postgres, Server, Valkey, free_port, running
from scripts.launcher.watch import Watch
from serve_app.migrate import migrate
from serve_app.settings import ROOT, Paths

PRODUCTION = ROOT / "serve_config.production.yaml"
OBJECT_STORE_BYTES = 2_000_000_000  # a recording of 4 h is 0.9 GB as float32; the store takes memory only as it fills
DEPLOY_DEADLINE_S = 180
STOP_DEADLINE_S = 20

Say = Callable[[str], None]


class StartFailed(Exception):
    """The stack cannot start. The message says what to do."""


@dataclass(frozen=True)
class Options:
    """Settings of one stack."""

    folder: Path = ROOT / ".run"
    api_port: int = 8000
    ray_dashboard_port: int = 8265
    config: Path = ROOT / "serve_config.yaml"
    profile: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    health_path: str = "/healthz"


class Stack:
    """Context manager. On entry it starts the system and waits until `base_url` answers; on exit it stops it."""

    def __init__(self, options: Options, say: Say = print) -> None:
        self.options = options
        self._say = say
        self._parts = ExitStack()
        self.base_url = f"http://127.0.0.1:{options.api_port}"
        self.ray_dashboard_url = f"http://127.0.0.1:{options.ray_dashboard_port}"
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Self:
        require_free(self.options.api_port, "the API", "--port")
        require_free(self.options.ray_dashboard_port, "the Ray dashboard", "--ray-dashboard-port")
        try:
            self._start()
        except BaseException:
            self._parts.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()

    def _start(self) -> None:
        folder = self.options.folder
        (folder / "blobs").mkdir(parents=True, exist_ok=True)
        self.environment = self._connections() | {
            "BLOB_URL": os.environ.get("BLOB_URL") or f"file://{folder / 'blobs'}",
            "PUBLIC_URL": os.environ.get("PUBLIC_URL") or self.base_url,
            "SECRET_KEY": os.environ.get("SECRET_KEY") or load_or_create_secret(folder / "secret_key"),
        }
        self.environment |= self.options.environment
        _write_database_url(folder, self.environment["DATABASE_URL"])
        self._say("Migrating the database")
        migrate(self.environment["DATABASE_URL"])
        self._say("Starting Ray")
        self._parts.enter_context(ray_head(self.options, self.environment))
        self._say(f"Deploying {self.options.config.name}")
        self._deploy()

    def _connections(self) -> dict[str, str]:
        """URLs of PostgreSQL and Valkey: from the environment, or of embedded servers, which are watched."""
        urls = {name: os.environ.get(name) or "" for name in ("DATABASE_URL", "REDIS_URL")}
        embedded: dict[str, Server] = {
            "DATABASE_URL": Postgres(self.options.folder / "postgres"), "REDIS_URL": Valkey(),
        }  # fmt: skip
        watched = []
        for variable, server in embedded.items():
            if not urls[variable]:
                self._say(f"Starting the embedded {server.name} ({variable} is unset)")
                urls[variable] = self._parts.enter_context(running(server)).url
                watched.append(server)
        self._parts.enter_context(Watch(watched, self._say))
        return urls

    def _deploy(self) -> None:
        """Deploy as `serve deploy` does, and wait until the API answers."""
        from ray.dashboard.modules.serve.sdk import ServeSubmissionClient  # noqa: PLC0415 - imports Ray, 1.5 s

        client = ServeSubmissionClient(self.ray_dashboard_url)
        client.deploy_applications(serve_config(self.options))
        wait_until(lambda: self._running(client), DEPLOY_DEADLINE_S, "the application did not become ready")
        wait_until(self._healthy, 30, "the API does not answer")

    def _running(self, client: Any) -> bool:
        with suppress(OSError, RuntimeError):
            details = client.get_serve_details()
            for name, application in details.get("applications", {}).items():
                if application["status"] in {"DEPLOY_FAILED", "UNHEALTHY"}:
                    raise StartFailed(f"{name}: {application['status']}: {application['message']}")
                if application["status"] == "RUNNING":
                    return True
        return False

    def _healthy(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.base_url}{self.options.health_path}", timeout=5).status_code == 200
        return False


def _write_database_url(folder: Path, url: str) -> None:
    with os.fdopen(
        os.open(Paths(run_dir=folder).database_url_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w"
    ) as file:
        file.write(url)


def load_or_create_secret(path: Path) -> str:
    """Return the secret in `path`, created at random on the first call. Only this user can read the file."""
    with suppress(FileExistsError), os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(32))
    return path.read_text("utf-8")


def serve_config(options: Options) -> dict[str, Any]:
    """The Serve config with the port and the profile of `options`."""
    config: dict[str, Any] = yaml.safe_load(options.config.read_text("utf-8"))
    config["http_options"]["port"] = options.api_port
    if options.profile:
        config["applications"][0]["args"]["profile"] = options.profile
    return config


@contextmanager
def ray_head(options: Options, environment: dict[str, str]) -> Iterator[None]:
    """Run a Ray head node on loopback, in its own session so that Ctrl-C reaches only the launcher."""
    # Socket paths are limited to 107 characters, HAProxy's to 97, so they cannot lie in the checkout.
    scratch = Path(tempfile.mkdtemp(prefix="rs-ray-"))
    log = (options.folder / "ray.log").open("wb")
    process = subprocess.Popen(
        ray_command(options, scratch), stdout=log, stderr=log, start_new_session=True,
        env=ray_environment(environment) | haproxy_environment(scratch),
    )  # fmt: skip
    try:
        wait_until(lambda: _dashboard_up(options, process), 90, f"Ray did not start; see {options.folder / 'ray.log'}")
        yield
    finally:
        stop_process_tree(process)
        log.close()
        _keep_logs(scratch, options.folder / "ray-logs")


def ray_command(options: Options, scratch: Path) -> list[str]:
    """The `ray start` command, with free ports so that several Rays can run on one machine."""
    free = [f"{flag}={free_port()}" for flag in OTHER_PORTS]
    gpus = [] if Path("/dev/nvidia0").exists() else ["--num-gpus=1"]  # a logical GPU: the graph is the same everywhere
    return [
        str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", "--disable-usage-stats",
        "--node-ip-address=127.0.0.1", "--include-dashboard=true", "--dashboard-host=127.0.0.1",
        f"--dashboard-port={options.ray_dashboard_port}", f"--temp-dir={scratch}",
        f"--object-store-memory={OBJECT_STORE_BYTES}", *gpus, *free,
    ]  # fmt: skip


OTHER_PORTS = (
    "--port", "--ray-client-server-port", "--dashboard-agent-listen-port", "--dashboard-agent-grpc-port",
    "--metrics-export-port", "--runtime-env-agent-port",
)  # fmt: skip


def ray_environment(environment: dict[str, str]) -> dict[str, str]:
    """Environment of Ray's processes. Replicas inherit it."""
    defaults = {
        "RAY_AUTH_MODE": "disabled",  # Ray listens on loopback only; the default writes a token to the home folder
        "RAY_SERVE_LOG_TO_STDERR": "0",
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",  # three failures replace a proxy; 23 to 30 s with the default
        "RAY_preload_python_modules": "deployments.replica.prestart",
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "deployments.proxy_errors:middlewares",
        # Three models share the cores. Spinning idle threads slow a 135M model down by a factor of four to eight when
        # another process needs the same two cores.
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",  # jobs are kept in the database; draining takes 20 s
    }
    return {**os.environ, **defaults, **environment}


def production_environment() -> dict[str, str]:
    """`config/production.env` without token authentication, which a single machine does not need."""
    lines = (ROOT / "config" / "production.env").read_text("utf-8").splitlines()
    pairs = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name: value for name, value in pairs.items() if name != "RAY_AUTH_MODE"}


def haproxy_environment(scratch: Path) -> dict[str, str]:
    """Paths and ports of HAProxy, if the environment enables it. Every stack has its own."""
    files = {"CONFIG_FILE_LOC": "haproxy.cfg", "SOCKET_PATH": "admin.sock", "SERVER_STATE_FILE": "server-state"}
    paths = {f"RAY_SERVE_HAPROXY_{name}": str(scratch / file) for name, file in files.items()}
    ports = {f"RAY_SERVE_HAPROXY_{name}_PORT": str(free_port()) for name in ("METRICS", "STATS")}
    return paths | ports | {"RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(scratch)}


def stop_process_tree(process: subprocess.Popen[bytes]) -> None:
    """Terminate a process, and kill those of its tree that run on after `STOP_DEADLINE_S`."""
    with suppress(psutil.NoSuchProcess):
        descendants = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        _, lingering = psutil.wait_procs([psutil.Process(process.pid), *descendants], timeout=STOP_DEADLINE_S)
        for survivor in lingering:
            with suppress(psutil.NoSuchProcess):
                survivor.kill()
    process.wait()


def require_free(port: int, what: str, flag: str) -> None:
    """Raises `StartFailed` if `port` is in use."""
    import socket  # noqa: PLC0415

    with socket.socket() as client:
        if client.connect_ex(("127.0.0.1", port)) == 0:
            raise StartFailed(f"Port {port} for {what} is in use. Stop what uses it, or choose another with {flag}.")


def wait_until(ready: Callable[[], bool], deadline_s: float, problem: str) -> None:
    """Wait until `ready()` is true. Raises `StartFailed` with `problem` after `deadline_s` seconds."""
    end = time.monotonic() + deadline_s
    while not ready():
        if time.monotonic() > end:
            raise StartFailed(f"After {deadline_s:.0f} s {problem}.")
        time.sleep(0.3)


def _dashboard_up(options: Options, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise StartFailed(f"Ray ended with code {process.returncode}; see {options.folder / 'ray.log'}.")
    with suppress(httpx.HTTPError):
        url = f"http://127.0.0.1:{options.ray_dashboard_port}/api/serve/applications/"
        return httpx.get(url, timeout=5).status_code == 200
    return False


def _keep_logs(scratch: Path, target: Path) -> None:
    """Copy Ray's logs to `target` and delete its scratch folder."""
    shutil.rmtree(target, ignore_errors=True)
    for logs in scratch.glob("session_2*/logs"):
        with suppress(OSError):
            shutil.copytree(logs, target, dirs_exist_ok=True)
    shutil.rmtree(scratch, ignore_errors=True)
