"""Sessions of the dashboard: a signed cookie that names the key somebody signed in with, and tokens for its forms."""

import hmac

from itsdangerous import BadData, URLSafeSerializer, URLSafeTimedSerializer

from serve_app.errors import Invalid

COOKIE = "rs_session"
LIFETIME_S = 8 * 3600


class Sessions:
    """Signs and reads the cookie. It holds a key's id, never the key; whether that key lives is asked each time."""

    def __init__(self, secret: str) -> None:
        self._cookies = URLSafeTimedSerializer(secret, salt="dashboard session")
        self._forms = URLSafeSerializer(secret, salt="dashboard form")

    def issue(self, key_id: str) -> str:
        """A cookie for somebody who signed in with this key."""
        return str(self._cookies.dumps(key_id))

    def key_id(self, cookie: str | None) -> str | None:
        """The key behind a cookie; None when there is none, it is not ours, or it is too old."""
        try:
            return str(self._cookies.loads(cookie or "", max_age=LIFETIME_S))
        except BadData:
            return None

    def form_token(self, cookie: str) -> str:
        """What every form of this session carries, so that no other site can send one."""
        return str(self._forms.dumps(cookie))

    def check_form(self, cookie: str, token: str) -> None:
        """Raise `Invalid` when the form was not made for this session."""
        if not hmac.compare_digest(self.form_token(cookie).encode(), token.encode()):
            raise Invalid("This form is not of your session. Go back to the dashboard and try again.")
