"""Keys and signatures of Standard Webhooks 1.0: `v1` (HMAC-SHA256) and `v1a` (ed25519).

No key is stored. Both keys of a generation are derived from the deployment's `SECRET_KEY` and the id of its row, so a
copy of the database signs nothing, and a new `SECRET_KEY` makes new keys. The row keeps the public key, which shows
that this has happened.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SYMMETRIC_PREFIX = "whsec_"
PUBLIC_PREFIX = "whpk_"
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Keys:
    """One generation of an endpoint's keys."""

    symmetric: bytes
    private: Ed25519PrivateKey

    @property
    def secret(self) -> str:
        """`whsec_…`: verifies and makes `v1` signatures."""
        return SYMMETRIC_PREFIX + base64.b64encode(self.symmetric).decode()

    @property
    def public_key(self) -> str:
        """`whpk_…`: verifies `v1a` signatures."""
        return PUBLIC_PREFIX + base64.b64encode(self.private.public_key().public_bytes_raw()).decode()

    def sign(self, event_id: str, timestamp: int, body: bytes) -> str:
        """Both signatures of a message, as the header `webhook-signature` has them. `timestamp` in Unix seconds."""
        content = f"{event_id}.{timestamp}.".encode() + body
        v1 = hmac.new(self.symmetric, content, hashlib.sha256).digest()
        v1a = self.private.sign(content)
        return f"v1,{base64.b64encode(v1).decode()} v1a,{base64.b64encode(v1a).decode()}"


def derive_keys(secret_key: str, generation: str) -> Keys:
    """The keys of a generation, by the id of its row. The same arguments give the same keys (HKDF, RFC 5869)."""
    derived = HKDF(hashes.SHA256(), 2 * KEY_BYTES, salt=None, info=f"webhook keys {generation}".encode())
    material = derived.derive(secret_key.encode())
    return Keys(material[:KEY_BYTES], Ed25519PrivateKey.from_private_bytes(material[KEY_BYTES:]))
