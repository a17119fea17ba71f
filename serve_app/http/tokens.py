"""Signed tokens: for an hour of read access to one job, without a header; and for the addresses of share links."""

from itsdangerous import BadData, URLSafeSerializer, URLSafeTimedSerializer

from serve_app.errors import NotFound, Unauthorized

LIFETIME_S = 3600
OPENED_S = 12 * 3600
"""How long a browser stays admitted after the passcode of a share link."""


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


class ShareTokens:
    """Makes and reads the addresses of share links, and the cookies of browsers that knew the passcode.

    An address is the link's signed id: the database holds nothing that opens a link, and an owner can copy it again.
    """

    def __init__(self, secret: str) -> None:
        self._addresses = URLSafeSerializer(secret, salt="share link")
        self._admissions = URLSafeTimedSerializer(secret, salt="opened share link")

    def issue(self, link_id: str) -> str:
        """The token in a link's address."""
        return str(self._addresses.dumps(link_id))

    def link_id(self, token: str) -> str:
        """The link of an address. Raises `NotFound`."""
        try:
            return str(self._addresses.loads(token))
        except BadData:
            raise NotFound("No such link exists. Ask who sent it for the whole address.") from None

    def admit(self, link_id: str) -> str:
        """The cookie of a browser that knew the link's passcode."""
        return str(self._admissions.dumps(link_id))

    def is_admitted(self, link_id: str, cookie: str) -> bool:
        """Whether a cookie is of a browser that knew the link's passcode."""
        try:
            return bool(self._admissions.loads(cookie, max_age=OPENED_S) == link_id)
        except BadData:
            return False
