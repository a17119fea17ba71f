"""Signed tokens that give read access to one job for an hour, for clients that cannot send a header."""

from itsdangerous import BadData, URLSafeTimedSerializer

from serve_app.errors import Unauthorized

LIFETIME_S = 3600


class JobTokens:
    """Signs and reads tokens. Every ingress replica needs the same secret."""

    def __init__(self, secret: str) -> None:
        self._serializer = URLSafeTimedSerializer(secret, salt="read one job")

    def issue(self, job_id: str) -> str:
        """A token for one job."""
        return str(self._serializer.dumps(job_id))

    def job_id(self, token: str) -> str:
        """The job of a token. Raises `Unauthorized` when the signature is wrong or the token has expired."""
        try:
            return str(self._serializer.loads(token, max_age=LIFETIME_S))
        except BadData:
            raise Unauthorized(
                "The token is invalid or has expired. Get a new one from POST /v1/jobs/{job_id}/stream-token."
            ) from None
