"""An OpenID Connect provider that lets everybody in at once: discovery, codes, tokens, keys."""

import base64
import dataclasses
import json
import secrets
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "talweg-dashboard", 'a "quoted" secret'


@dataclasses.dataclass
class Provider:
    """The provider and whom it says to have logged in."""

    url: str = ""
    claims: dict[str, Any] = dataclasses.field(default_factory=dict)
    key: RSAKey = dataclasses.field(
        default_factory=lambda: RSAKey.generate_key(2048, {"kid": "test", "use": "sig"})
    )
    codes: dict[str, tuple[str, dict[str, Any]]] = dataclasses.field(default_factory=dict)

    @property
    def metadata_url(self) -> str:
        return f"{self.url}/.well-known/openid-configuration"

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser goes on: back to the client, with a code for the present user."""
        assert query["client_id"] == CLIENT
        code = secrets.token_urlsafe()
        self.codes[code] = (query["nonce"], dict(self.claims))
        answer = urllib.parse.urlencode({"code": code, "state": query["state"]})
        return f"{query['redirect_uri']}?{answer}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        """An ID token for a code; the client proves who it is."""
        given = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        assert [urllib.parse.unquote(part) for part in given.split(":", 1)] == [CLIENT, SECRET]
        nonce, claims = self.codes.pop(form["code"])
        now = int(time.time())
        common = {"iss": self.url, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 300}
        header = {"alg": "RS256", "kid": "test"}
        token = jwt.encode(header, common | {"nonce": nonce} | claims, self.key)
        return {"access_token": "unused", "token_type": "Bearer", "id_token": token}


@contextmanager
def provider() -> Iterator[Provider]:
    """A provider on loopback."""
    served = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path == "/authorize":
                self.send_response(302)
                self.send_header("Location", served.authorize(dict(urllib.parse.parse_qsl(query))))
                self.end_headers()
            elif path == "/jwks":
                self._answer({"keys": [served.key.as_dict(private=False)]})
            else:
                self._answer(served.discovery())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = dict(urllib.parse.parse_qsl(body))
            self._answer(served.token(form, self.headers.get("Authorization", "")))

        def _answer(self, value: dict[str, Any]) -> None:
            content = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
