"""Sessions of the pages: a signed cookie that holds the id of the key used to sign in, and tokens for its forms."""

import hmac

from itsdangerous import BadData, URLSafeSerializer, URLSafeTimedSerializer

from serve_app.errors import Invalid

COOKIE = "rs_session"
LIFETIME_S = 8 * 3600


class Sessions:
    """Signs and reads cookies. A cookie holds a key's id, never the key. Every request checks that the key is live."""

    def __init__(self, secret: str) -> None:
        self._cookies = URLSafeTimedSerializer(secret, salt="dashboard session")
        self._forms = URLSafeSerializer(secret, salt="dashboard form")

    def issue(self, key_id: str) -> str:
        """A cookie for a sign-in with this key."""
        return str(self._cookies.dumps(key_id))

    def key_id(self, cookie: str | None) -> str | None:
        """The key id in a cookie. None when there is no cookie, its signature is wrong, or it has expired."""
        try:
            return str(self._cookies.loads(cookie or "", max_age=LIFETIME_S))
        except BadData:
            return None

    def form_token(self, cookie: str) -> str:
        """The token that every form of this session carries, against cross-site request forgery."""
        return str(self._forms.dumps(cookie))

    def check_form(self, cookie: str, token: str) -> None:
        """Raise `Invalid` unless the form belongs to this session."""
        if not hmac.compare_digest(self.form_token(cookie).encode(), token.encode()):
            raise Invalid("This form has expired. Reload the page.")
