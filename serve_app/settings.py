"""The only reader of the environment. Everything else receives a `Settings`."""

import sys
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
"""The checkout. Used for defaults only: an installation elsewhere sets `CONFIG_DIR`, `CACHE_DIR` and `BLOB_URL`."""


class Paths(BaseSettings):
    """Where files lie. Every field has a default, so processes without a database can use it."""

    model_config = SettingsConfigDict(env_prefix="", extra="ignore")

    config_dir: Path = Field(default=ROOT / "config", description="Folder with verticals/ and models/.")
    run_dir: Path = Field(default=ROOT / ".run", description="Folder of `make run`: data, logs, and notes on them.")
    cache_dir: Path = Field(
        default=ROOT / ".run" / "cache", description="Folder of files that can be made again, e.g. unpacked weights."
    )

    weights_dir: Path = Field(
        default=Path(sys.prefix) / "share" / "recruitscreen" / "weights",
        description="Folder of weights that were joined from the parts in several packages.",
    )

    @property
    def database_url_file(self) -> Path:
        """File in which the launcher notes the database URL, for commands that run beside the stack."""
        return self.run_dir / "database_url"

    @property
    def quickstart_file(self) -> Path:
        """File in which the launcher notes the addresses and the first API key."""
        return self.run_dir / "quickstart.json"

    @property
    def verticals_dir(self) -> Path:
        """Folder of the products, one YAML file each."""
        return self.config_dir / "verticals"

    @property
    def profiles_dir(self) -> Path:
        """Folder of the model profiles that can be named without a path."""
        return self.config_dir / "models"

    @property
    def injection_tagger_file(self) -> Path:
        """Trained weights of the injection tagger (safetensors)."""
        return self.config_dir / "injection_tagger.safetensors"

    @property
    def grader_file(self) -> Path:
        """Trained weights of the grader (safetensors)."""
        return self.config_dir / "grader.safetensors"

    @property
    def question_matcher_file(self) -> Path:
        """Trained weights of the question matcher (safetensors)."""
        return self.config_dir / "question_matcher.safetensors"

    @property
    def gguf_cache_dir(self) -> Path:
        """Folder that GGUF files are unpacked into, once per file and library version."""
        return self.cache_dir / "gguf"


class Settings(Paths):
    """What an operator may set. Names are upper-case in the environment, e.g. `DATABASE_URL`."""

    database_url: str = Field(description="PostgreSQL; `make run` starts one and sets this when it is unset.")
    database_timeout_s: Annotated[float, Field(gt=0)] = Field(
        default=5.0, description="Longest transaction. A request that waits longer gets 503."
    )
    redis_url: str = Field(description="Redis or Valkey: wakes readers and counts requests. Holds no state.")
    blob_url: str = Field(
        default=f"file://{ROOT / '.run' / 'blobs'}",
        description="Where uploads lie until their job is done: file:///folder or s3://bucket/prefix.",
    )
    secret_key: SecretStr = Field(
        description="Signs short-lived stream tokens; the same in every process. `make run` makes one."
    )
    public_url: str = Field(default="http://127.0.0.1:8000", description="How clients reach the API; used in links.")
    upgrade_url: str | None = Field(default=None, description="Where a 402 sends people; default PUBLIC_URL/pricing.")

    rate_limit: str = Field(default="600/minute", description="Requests that one key may make.")
    trusted_proxies: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="Number of your proxies in front of the API: as many X-Forwarded-For entries are trusted.",
    )
    lease_s: Annotated[float, Field(gt=0)] = Field(
        default=30.0, description="Seconds without a heartbeat after which a job is requeued."
    )
    max_attempts: Annotated[int, Field(ge=1)] = Field(default=3, description="Attempts at a job before it fails.")
    jobs_per_executor: Annotated[int, Field(ge=1)] = Field(default=4, description="Jobs one executor runs at once.")
    sweep_s: Annotated[float, Field(gt=0)] = Field(default=5.0, description="Seconds between two sweeps.")
    retry_window_s: Annotated[int, Field(ge=0)] = Field(
        default=24 * 3600,
        description="Seconds that a failed job keeps its input and can be retried. Then it is refunded.",
    )
    retention_s: Annotated[int, Field(ge=0)] = Field(
        default=30 * 24 * 3600,
        description="Seconds that a finished job keeps its content; an account may choose less. Then it is erased.",
    )

    cors_origins: list[str] = Field(
        default=["*"],
        description='Origins whose pages may call /v1, as a JSON list: ["https://app.example.com"]. Any by default: '
        "callers send keys or tokens, never cookies.",
    )

    webhook_allow_loopback: bool = Field(
        default=False,
        description="Also deliver webhooks to this machine, by http or https. For development only.",
    )
    source_allow_loopback: bool = Field(
        default=False,
        description="Also fetch recordings from this machine, by http or https. For development only.",
    )
    source_timeout_s: Annotated[float, Field(gt=0)] = Field(
        default=600.0, description="Longest download of a recording from its source_url."
    )
    downloads_per_executor: Annotated[int, Field(ge=1)] = Field(
        default=4, description="Recordings that one executor downloads at once, beside its jobs; two of one account."
    )

    credits_low: Annotated[int, Field(ge=1)] = Field(
        default=20, description="Balance below which an account is told `credits.low`."
    )

    @property
    def pricing_url(self) -> str:
        """Where the 402 answer sends a caller without credits."""
        return self.upgrade_url or f"{self.public_url.rstrip('/')}/pricing"

    @property
    def docs_url(self) -> str:
        """The page that explains every error code."""
        return f"{self.public_url.rstrip('/')}/docs/errors"
