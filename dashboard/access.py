"""Who may look at the dashboard and who may start sweeps from it; standard library only.

Reading: on this machine alone without a login, elsewhere with one. Starting sweeps: only where
that was asked for, and with a login only by those who are named.
"""

import dataclasses
import ipaddress
import json
from collections.abc import Iterable, Mapping
from typing import Any

CALLBACK = "/oauth2callback"
"""Streamlit answers the identity provider there."""

SECRET_LETTERS = 32
EVERYBODY = "*"
PARTS = ("client_id", "client_secret", "metadata_url", "redirect_url", "cookie_secret")
"""What a login consists of, each a variable ``TALWEG_OIDC_…``."""


class Refused(ValueError):
    """A way of starting the dashboard that would let somebody in who should not be."""


@dataclasses.dataclass(frozen=True)
class Login:
    """An OpenID Connect client, and the e-mail addresses that it lets in.

    ``allowed`` and ``writers`` hold addresses (``ada@example.org``), domains (``@example.org``)
    or ``*``: everybody whom the provider knows.
    """

    client_id: str
    client_secret: str = dataclasses.field(repr=False)
    metadata_url: str
    redirect_url: str
    cookie_secret: str = dataclasses.field(repr=False)
    allowed: tuple[str, ...]
    writers: tuple[str, ...] = ()

    def toml(self) -> str:
        """The secrets file, in Streamlit's own words under ``auth``, in ours under ``access``."""
        auth = {
            "redirect_uri": self.redirect_url,
            "cookie_secret": self.cookie_secret,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "server_metadata_url": self.metadata_url,
        }
        access = {"allowed": list(self.allowed), "writers": list(self.writers)}
        sections: dict[str, Mapping[str, str | list[str]]] = {"auth": auth, "access": access}
        # JSON's strings and lists are TOML's, too.
        return "".join(
            f"[{name}]\n"
            + "".join(f"{key} = {json.dumps(v, ensure_ascii=False)}\n" for key, v in values.items())
            for name, values in sections.items()
        )


def login_of(
    given: Mapping[str, str | None], allowed: Iterable[str], writers: Iterable[str]
) -> Login | None:
    """The login that the settings describe; None when they describe none.

    Raises:
        Refused: it is described in part, or its parts do not fit.
    """
    words, writing = tuple(allowed), tuple(writers)
    if not any(given[part] for part in PARTS) and not words and not writing:
        return None
    parts = {part: given[part] for part in PARTS}
    missing = [_variable(part) for part, value in parts.items() if not value]
    missing += [] if words else [_variable("allowed")]
    if missing:
        raise Refused(f"a login needs {' and '.join(missing)} as well (docs/dashboard.md)")
    texts = {part: value for part, value in parts.items() if value}
    if not texts["redirect_url"].endswith(CALLBACK):
        raise Refused(f"{_variable('redirect_url')} must end in {CALLBACK}")
    for part in ("redirect_url", "metadata_url"):
        if not texts[part].startswith(("https://", "http://")):
            raise Refused(f"{_variable(part)} must be an https:// or http:// address")
    if len(texts["cookie_secret"]) < SECRET_LETTERS:
        # Whoever guesses it signs cookies of anybody; its value is not repeated.
        raise Refused(f"{_variable('cookie_secret')} must have {SECRET_LETTERS} letters or more")
    return Login(**texts, allowed=words, writers=writing)


def _variable(part: str) -> str:
    return f"TALWEG_OIDC_{part.upper()}"


def demand(host: str, login: Login | None, behind_proxy: bool, submit: bool, store: str) -> None:
    """Raises Refused for a dashboard that would be open to those who should not see or start."""
    if login is None and not is_loopback(host) and not behind_proxy:
        raise Refused(
            f"--host {host}: without a login the dashboard listens on this machine alone. Set "
            "TALWEG_OIDC_… (docs/dashboard.md), or say --behind-proxy where something in front "
            "of it asks for one"
        )
    if not submit:
        return
    if login is None and (behind_proxy or not is_loopback(host)):
        raise Refused(
            "--allow-submit: without a login of its own the dashboard does not know who starts a "
            "sweep; it may only listen on this machine"
        )
    if login is not None and not login.writers:
        raise Refused("--allow-submit: TALWEG_OIDC_WRITERS must say who may start sweeps")
    if "://" in store:
        raise Refused(
            f"--allow-submit: sweeps are started on this machine, into a database file; {store} "
            "is a store elsewhere. Start them with `talweg run` where its write token is"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def admits(words: Iterable[str], user: Mapping[str, Any]) -> bool:
    """Whether a logged-in user is among these addresses, domains, or ``*``."""
    listed = {word.strip().lower() for word in words}
    if EVERYBODY in listed:
        return True
    email = str(user.get("email") or "").strip().lower()
    # An address that its provider did not check is what its owner typed; some say so in a word.
    if email.count("@") != 1 or str(user.get("email_verified")).lower() == "false":
        return False
    return not listed.isdisjoint({email, f"@{email.partition('@')[2]}"} - {"@"})
