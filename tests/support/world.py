"""Customers, recordings and folders for tests."""

import io
import math
import struct
import wave
from dataclasses import dataclass
from pathlib import Path

from serve_app.accounts.actors import Actor
from serve_app.accounts.service import create_account
from serve_app.credits import ledger
from serve_app.keys import service as keys
from serve_app.keys.service import KeyTerms
from serve_app.settings import Paths
from serve_app.storage.database import Database
from serve_app.verticals.catalog import Catalog

ROOT = Path(__file__).resolve().parents[2]
EVAL = ROOT.parent / "shared" / "eval"
SAMPLE = ROOT / "config" / "sample" / "interview.ogg"
RECRUITSCREEN = Catalog.read(Paths().verticals_dir).get("recruitscreen")


@dataclass(frozen=True)
class Customer:
    """An account with credits and a key."""

    account_id: str
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"}

    @property
    def actor(self) -> Actor:
        """The operator, who acts in the account."""
        return Actor.operator(self.account_id)


async def new_customer(database: Database, credits_: int = 100, scope: str = "all") -> Customer:
    """Create an account with credits and a key."""
    async with database.transaction() as session:
        account = await create_account(session, "A customer")
        if credits_:
            await ledger.grant(session, account.id, credits_, "test")
        issued = await keys.issue(session, Actor.operator(account.id), KeyTerms(scope))
    return Customer(account.id, issued.secret)


def silence(seconds: float) -> bytes:
    """A mono 16-bit WAV file without any sound."""
    return _wav(bytes(2 * int(seconds * 16_000)), 16_000)


def tone(seconds: float, rate: int = 16_000) -> bytes:
    """A mono 16-bit WAV file of a 440 Hz tone: it decodes, and contains no speech."""
    samples = (int(8000 * math.sin(2 * math.pi * 440 * n / rate)) for n in range(int(seconds * rate)))
    return _wav(b"".join(struct.pack("<h", sample) for sample in samples), rate)


def _wav(samples: bytes, rate: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples)
    return file.getvalue()
