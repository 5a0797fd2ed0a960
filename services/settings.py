"""What the environment says: read once, frozen, and handed on as values.

Every setting is a variable ``TALWEG_…`` or a key of ``talweg.toml`` in the working folder;
the variable wins. Nothing else in the project reads the environment.
"""

import functools
import getpass
import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


def _split(value: Any) -> Any:
    """Words between commas, as a variable holds a list; in the file it is one already."""
    return (
        [word.strip() for word in value.split(",") if word.strip()]
        if isinstance(value, str)
        else value
    )


Addresses = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """The environment's part of the configuration."""

    model_config = SettingsConfigDict(
        env_prefix="TALWEG_", toml_file="talweg.toml", frozen=True, extra="forbid"
    )

    store: str = Field(default="talweg.duckdb", description="database file or grpc:// URL")
    token: SecretStr | None = Field(default=None, description="of a store at a URL")
    token_file: Path | None = Field(default=None, description="a file that holds the token")
    read_token: SecretStr | None = Field(default=None, description="`store serve`: read scope")
    read_token_file: Path | None = Field(default=None, description="a file that holds it")
    ca_file: Path | None = Field(
        default=None,
        description="PEM file of the roots that a grpc+tls:// store is checked against",
    )
    tls_certificate: Path | None = Field(
        default=None, description="`store serve`: PEM file of its certificate"
    )
    tls_key: Path | None = Field(default=None, description="`store serve`: PEM file of its key")
    workers: Annotated[int | None, Field(ge=1)] = Field(
        default=None, description="CPUs for a local sweep; default: all"
    )
    owner: str = Field(default_factory=getpass.getuser, description="owner of new sweeps")
    steps_folder: Path = Field(
        default_factory=lambda: Path.home() / ".cache" / "talweg" / "steps",
        description="compiled training steps; code is loaded from there, keep it your own",
    )
    checkpoints_folder: Path = Field(
        default_factory=lambda: Path.home() / ".cache" / "talweg" / "checkpoints",
        description="checkpoints of long packs; a cluster's machines share one folder",
    )
    checkpoint_seconds: Annotated[float, Field(gt=0)] = Field(
        default=60.0, description="time between two checkpoints of a pack"
    )
    gpu_share: Annotated[float | None, Field(gt=0, le=1)] = Field(
        default=None, description="share of a GPU that one pack takes; default: all of it"
    )
    patience_s: Annotated[float, Field(gt=0)] = Field(
        default=300.0, description="how long a sweep waits for a store that went away"
    )

    archive_folder: Path | None = Field(
        default=None, description="`run` archives each sweep there when it ends; default: nowhere"
    )
    backups_folder: Path | None = Field(
        default=None,
        description="`store serve`: where backups are written; default: STORE.backups",
    )
    reports_folder: Path | None = Field(
        default=None,
        description="reports made on the dashboard; default: STORE.reports beside a database "
        "file, else ~/.cache/talweg/reports",
    )
    oidc_client_id: str | None = Field(default=None, description="dashboard: its login")
    oidc_client_secret: SecretStr | None = Field(default=None, description="of that client")
    oidc_client_secret_file: Path | None = Field(default=None, description="a file that holds it")
    oidc_metadata_url: str | None = Field(
        default=None, description="the provider's .well-known/openid-configuration"
    )
    oidc_redirect_url: str | None = Field(
        default=None, description="the dashboard's own address, with /oauth2callback"
    )
    oidc_cookie_secret: SecretStr | None = Field(default=None, description="signs its cookies")
    oidc_cookie_secret_file: Path | None = Field(default=None, description="a file that holds it")
    oidc_allowed: Addresses = Field(
        default=(), description="who may look: addresses, @domains, or *; between commas"
    )
    oidc_writers: Addresses = Field(default=(), description="who may start sweeps, likewise")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then variables, then the file."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    def write_secret(self) -> str | None:
        """The token to write with, from the variable or the file."""
        return _secret(self.token, self.token_file)

    def read_secret(self) -> str | None:
        """The token to read with, from the variable or the file."""
        return _secret(self.read_token, self.read_token_file)

    def tls(self) -> tuple[bytes, bytes] | None:
        """Certificate and key to serve with, or None for neither.

        Raises ValueError when only one is given, OSError when a file cannot be read.
        """
        if self.tls_certificate is None and self.tls_key is None:
            return None
        if self.tls_certificate is None or self.tls_key is None:
            missing = "TALWEG_TLS_KEY" if self.tls_key is None else "TALWEG_TLS_CERTIFICATE"
            raise ValueError(f"{missing} is not set: TLS takes a certificate and its key")
        return self.tls_certificate.read_bytes(), self.tls_key.read_bytes()

    def login_parts(self) -> dict[str, str | None]:
        """What the dashboard's login consists of, by the last words of the variables."""
        return {
            "client_id": self.oidc_client_id,
            "client_secret": _secret(self.oidc_client_secret, self.oidc_client_secret_file),
            "metadata_url": self.oidc_metadata_url,
            "redirect_url": self.oidc_redirect_url,
            "cookie_secret": _secret(self.oidc_cookie_secret, self.oidc_cookie_secret_file),
        }


def _secret(value: SecretStr | None, file: Path | None) -> str | None:
    if value is not None:
        return value.get_secret_value()
    return file.read_text().strip() if file is not None else None


@functools.cache
def read() -> Settings:
    """The settings of this process."""
    return Settings()


def cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0))


def keep_to_yourself() -> None:
    """A Ray that we start reports nothing to anybody, unless the user said otherwise."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def explain(error: ValidationError) -> str:
    """What is wrong with the environment, one line per variable."""
    return "\n".join(
        f"TALWEG_{'_'.join(map(str, e['loc'])).upper()}: {_shown(e)} is not allowed ({e['msg']})"
        for e in error.errors()
    )


def _shown(error: ErrorDetails) -> str:
    """The value that is wrong, unless it may be a secret: of a misspelt key, nobody can tell."""
    name = str(error["loc"][0]) if error["loc"] else ""
    known = Settings.model_fields.get(name)
    is_open = known is not None and known.annotation != SecretStr | None
    return repr(error["input"]) if is_open else "this value"
