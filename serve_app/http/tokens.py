"""Short-lived signed tokens that let their holder read one job, for those who cannot send a header."""

from itsdangerous import BadData, URLSafeTimedSerializer

from serve_app.errors import Unauthorized

LIFETIME_S = 3600


class JobTokens:
    """Signs and reads tokens. Every ingress replica must be given the same secret."""

    def __init__(self, secret: str) -> None:
        self._serializer = URLSafeTimedSerializer(secret, salt="read one job")

    def issue(self, job_id: str) -> str:
        """A token for one job."""
        return str(self._serializer.dumps(job_id))

    def job_id(self, token: str) -> str:
        """The job a token was made for. Raises `Unauthorized` when it is not ours or too old."""
        try:
            return str(self._serializer.loads(token, max_age=LIFETIME_S))
        except BadData:
            raise Unauthorized("The token is invalid or has expired. Ask for a new one.") from None
