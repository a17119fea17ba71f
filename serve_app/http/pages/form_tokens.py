"""Tokens that the forms of a session carry, against cross-site request forgery."""

import hmac

from itsdangerous import URLSafeSerializer

from serve_app.errors import Invalid


class FormTokens:
    """Makes and checks tokens. A token is derived from the secret of its session's cookie."""

    def __init__(self, secret: str) -> None:
        self._serializer = URLSafeSerializer(secret, salt="dashboard form")

    def of(self, cookie: str) -> str:
        """The token that every form of this session carries."""
        return str(self._serializer.dumps(cookie))

    def check(self, cookie: str, token: str) -> None:
        """Raise `Invalid` unless the form belongs to this session."""
        if not hmac.compare_digest(self.of(cookie).encode(), token.encode()):
            raise Invalid("This form has expired. Reload the page.")
