"""The tables of the pool: replicas, loads, process starts, devices, and Serve's deployments."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Column, Identity
from sqlmodel import Field, SQLModel

from serve_app.storage.database import choice, optional_timestamp, timestamp


class ModelState(StrEnum):
    """Where a model's weights are."""

    COLD = "cold"
    LOADING = "loading"
    WARM = "warm"
    EVICTING = "evicting"


class ModelReplica(SQLModel, table=True):
    """One replica's state, renewed by a heartbeat, with the memory it holds on its device.

    Every process has a new `replica_id`, so a successor never inherits the row of a dead process.
    """

    __tablename__ = "model_replicas"

    replica_id: str = Field(primary_key=True, max_length=128)
    role: str = Field(index=True, max_length=32)
    name: str = Field(max_length=128)
    state: ModelState = Field(sa_type=choice(ModelState, "known_model_state"))
    device: str = Field(max_length=32)
    device_id: str = Field(default="", index=True, max_length=128)
    """Node and device: `host/cpu` or `host/GPU-uuid`; empty until the backend is built."""
    pid: int = 0
    footprint_mib: int | None = None
    """Measured at the end of the last load; None before the first."""
    held_mib: int = 0
    """What this process holds on its device now, or has reserved for its load."""
    residual_mib: int = 0
    """Held after the last unload: libraries, a CUDA context."""
    bytes_loaded: int = Field(default=0, sa_type=BigInteger)
    bytes_total: int = Field(default=0, sa_type=BigInteger)
    in_flight: int = 0
    waiting: int = 0
    """Calls among `in_flight` whose work has not begun."""
    started_at: datetime = timestamp()
    heartbeat_at: datetime = timestamp()
    loaded_at: datetime | None = optional_timestamp()
    last_used_at: datetime | None = optional_timestamp()
    memory_requested_at: datetime | None = optional_timestamp()
    """Start of the wait for memory; None while it does not wait."""
    evict_requested_at: datetime | None = optional_timestamp()
    """When another replica requested its eviction. That replica sets it; this one clears it."""


class ModelLoad(SQLModel, table=True):
    """One finished load: predicts the duration and the footprint of the next."""

    __tablename__ = "model_loads"

    id: int = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    role: str = Field(max_length=32)
    name: str = Field(index=True, max_length=128)
    device: str = Field(max_length=32)
    seconds: float
    bytes: int = Field(sa_type=BigInteger)
    footprint_mib: int | None = None
    at: datetime = timestamp()


class ProcessStart(SQLModel, table=True):
    """One start of a replica's process that a call waited for."""

    __tablename__ = "process_starts"

    id: int = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    role: str = Field(max_length=32)
    name: str = Field(index=True, max_length=128)
    seconds: float
    """From the call at the executor's handle until the new process accepted it."""
    at: datetime = timestamp()


class ModelDevice(SQLModel, table=True):
    """One device whose memory models share, as a replica on it last measured it."""

    __tablename__ = "model_devices"

    device_id: str = Field(primary_key=True, max_length=128)
    device: str = Field(max_length=32)
    total_mib: int
    free_mib: int
    budget_mib: int
    measured_at: datetime = timestamp()


class ServeDeployment(SQLModel, table=True):
    """One deployment as Serve's controller reported it at the last poll."""

    __tablename__ = "serve_deployments"

    name: str = Field(primary_key=True, max_length=128)
    """`application/deployment`."""
    status: str = Field(max_length=32)
    message: str = Field(default="", max_length=500)
    running: int = 0
    starting: int = 0
    starting_since: datetime | None = optional_timestamp()
    """Start of the present wait for a starting replica."""
    polled_at: datetime = timestamp()
