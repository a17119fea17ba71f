"""Signatures in the form of Standard Webhooks 1.0."""

import base64

from standardwebhooks import Webhook

from serve_app.webhooks.signing import Keys, derive_keys

BODY = b'{"test": 2432232314}'


def test_the_example_of_the_specification_is_reproduced() -> None:
    """Key, id, timestamp and body of the specification's example give its signature."""
    symmetric = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    keys = Keys(symmetric, derive_keys("any", "any").private)
    v1 = keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY).split()[0]
    assert v1 == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_derived_keys_are_stable_and_differ_by_generation_and_deployment() -> None:
    """The same SECRET_KEY and generation give the same keys; another of either gives others."""
    first = derive_keys("a secret", "whs_1")
    assert (first.secret, first.public_key) == (derive_keys("a secret", "whs_1").secret, first.public_key)
    others = [derive_keys("a secret", "whs_2"), derive_keys("another", "whs_1")]
    assert len({first.secret, *(keys.secret for keys in others)}) == 3
    assert len({first.public_key, *(keys.public_key for keys in others)}) == 3
    assert first.symmetric != first.private.private_bytes_raw()


def test_a_secret_has_the_form_that_libraries_read() -> None:
    """`whsec_` and 32 bytes in base64."""
    secret = derive_keys("a secret", "whs_1").secret
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    Webhook(secret)
