"""Tokens of calls: JSON Web Tokens (RFC 7519), signed with a secret and good for a short time."""

from __future__ import annotations

import secrets
import time

import jwt

from voicebot.settings import WebRtc
from voicebot.web.problem import InvalidToken

AUDIENCE = "voicebot"
"""The claim `aud` of every token."""

_ALGORITHM = "HS256"


class Tokens:
    """Makes and reads the tokens of one bot."""

    def __init__(self, chosen: WebRtc) -> None:
        self._secret = chosen.token_secret.get_secret_value() or secrets.token_hex(32)
        self.lifetime_s = chosen.token_s
        """How long a token is good."""

    def issue(self, origin: str | None) -> str:
        """A token for one visitor of a page of `origin`; None where that is not known."""
        claims = {"aud": AUDIENCE, "exp": int(time.time()) + self.lifetime_s}
        return jwt.encode(claims | ({"origin": origin} if origin else {}), self._secret, _ALGORITHM)

    def check(self, authorization: str, origin: str | None) -> None:
        """See that the header `Authorization` of a request from `origin` (None: it does not say) holds a good token.

        Raises:
            InvalidToken: it does not.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise InvalidToken("The request has no token: send one as Authorization: Bearer.")
        try:
            claims = jwt.decode(
                token, self._secret, [_ALGORITHM], audience=AUDIENCE, options={"require": ["exp", "aud"]}
            )
        except jwt.ExpiredSignatureError:
            raise InvalidToken("The token has expired: fetch a new one and call again.") from None
        except jwt.InvalidTokenError:
            raise InvalidToken("The token is none of this bot's: fetch one and call again.") from None
        if origin is not None and claims.get("origin", origin) != origin:
            raise InvalidToken("The token was made for a page on another site: fetch one on this site.")
