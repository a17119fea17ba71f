"""The store of uploads: a local folder or an object store, through fsspec."""

import asyncio
import errno
import hashlib
import logging
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import fsspec

from serve_app.errors import InputLost, StorageFull, Unavailable

CHUNK = 1 << 20
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
log = logging.getLogger(__name__)


def outage(error: Exception) -> Unavailable:
    """The error for a client when writing a file failed."""
    if isinstance(error, OSError) and error.errno in FULL:
        return StorageFull()
    return Unavailable("The store for recordings does not answer. Nothing was charged. Send the request again shortly.")


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A stored file: its key, SHA-256 in hex, and size in bytes."""

    key: str
    sha256: str
    size: int


def plain_suffix(filename: str) -> str:
    """The suffix of a file name: `.m4a` for `Call 7.M4A`. Empty unless it is 1 to 5 letters or digits."""
    found = re.search(r"\.([A-Za-z0-9]{1,5})$", filename)
    return f".{found[1].lower()}" if found else ""


class Blobs:
    """A flat store of immutable files under one URL."""

    def __init__(self, url: str) -> None:
        self._fs: Any
        self._fs, self._root = fsspec.core.url_to_fs(url)
        self._fs.makedirs(self._root, exist_ok=True)

    async def put(self, source: BinaryIO, filename: str = "") -> StoredBlob:
        """Copy `source`, from its current position, into the store. Raises `Unavailable` and `StorageFull`.

        Keeps only the suffix of `filename`: a few formats can be recognised by nothing else.
        """
        return await asyncio.to_thread(self._put, source, plain_suffix(filename))

    async def delete(self, key: str | None) -> None:
        """Delete a blob. Does nothing when it does not exist, or the key is None or empty.

        Never raises: what cannot be deleted now is deleted by the sweeper once the store is back.
        """
        if key:
            await asyncio.to_thread(self._delete, key)

    async def exists(self, key: str) -> bool:
        """Whether the blob exists."""
        return bool(await asyncio.to_thread(self._fs.exists, self._path(key)))

    async def older_than(self, age_s: float) -> list[str]:
        """Keys of all blobs written at least `age_s` seconds ago."""
        return await asyncio.to_thread(self._older_than, age_s)

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """Path of the blob on this machine: the blob itself in a local store, else a temporary copy.

        Raises `InputLost` when the blob does not exist, and `Unavailable` when the store is away.
        """
        self._check_exists(key)
        if "file" in self._protocols():
            yield Path(self._path(key))
            return
        with (
            tempfile.NamedTemporaryFile(suffix=plain_suffix(key)) as copy,
            self._fs.open(self._path(key), "rb") as blob,
        ):
            shutil.copyfileobj(blob, copy, CHUNK)
            copy.flush()
            yield Path(copy.name)

    def _check_exists(self, key: str) -> None:
        try:
            found, root = self._fs.exists(self._path(key)), self._fs.exists(self._root)
        except Exception as error:
            raise outage(error) from error
        if not root:
            raise Unavailable("The store for recordings is away.")
        if not found:
            raise InputLost

    def _put(self, source: BinaryIO, suffix: str) -> StoredBlob:
        key, digest, size = secrets.token_hex(16) + suffix, hashlib.sha256(), 0
        try:
            with self._fs.open(self._path(key), "wb") as blob:
                while chunk := source.read(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    blob.write(chunk)
        except Exception as error:
            log.exception("a recording could not be stored")
            self._delete(key)
            raise outage(error) from error
        return StoredBlob(key, digest.hexdigest(), size)

    def _delete(self, key: str) -> None:
        try:
            if self._fs.exists(self._path(key)):
                self._fs.rm_file(self._path(key))
        except Exception as error:  # noqa: BLE001 - every store has its own errors
            log.warning("blob %s could not be deleted; the sweeper tries again: %s", key, error)

    def _older_than(self, age_s: float) -> list[str]:
        latest = datetime.now(UTC) - timedelta(seconds=age_s)
        paths = self._fs.find(self._root)
        return [path.rpartition("/")[2] for path in paths if self._fs.modified(path).astimezone(UTC) <= latest]

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _protocols(self) -> tuple[str, ...]:
        protocol = self._fs.protocol
        return (protocol,) if isinstance(protocol, str) else tuple(protocol)
