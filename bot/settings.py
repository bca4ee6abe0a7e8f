"""All settings, read once from the environment into one frozen value; `python -m bot.settings` prints their page (docs/settings.md)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bot.errors import Refused
from bot.setting_values import (
    one_of,
    read_hosts,
    read_optional_port,
    read_origins,
    read_port,
    read_repository,
    read_seconds,
    read_secret_url,
    read_text,
    read_url,
)

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_PROFILES = ("local", "cloud")
_EMBEDDINGS = ("offline", "openai")
_LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True)
class Settings:
    """What this process was told. Build it with `from_env`; ask for what a command needs with `require`."""

    github_token: str = field(repr=False)
    github_api_url: str
    github_web_url: str
    repository: str
    bot_login: str
    webhook_secret: str = field(repr=False)
    marker_key: str = field(repr=False)
    ingest_token: str = field(repr=False)
    feed_key: str = field(repr=False)
    feed_url: str
    public_url: str
    host: str
    port: int
    grpc_port: int
    allowed_hosts: tuple[str, ...]
    allowed_origins: tuple[str, ...]
    profile: str
    tick_s: float
    sweep_s: float
    policies_dir: Path
    log_level: str
    openai_api_key: str = field(repr=False)
    openai_base_url: str
    openai_model: str
    openai_embedding_model: str
    embedding: str
    chroma_path: Path
    chroma_url: str
    demo_controls_url: str
    demo_controls_token: str = field(repr=False)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Reads `env`; empty means unset. Raises Refused that names every wrong setting at once (never a secret's value)."""
        values: dict[str, Any] = {}
        problems: list[str] = []
        for setting in SETTINGS:
            name, text = _given(setting, env)
            try:
                values[setting.field] = setting.read(text)
            except ValueError as problem:
                problems.append(f"{name}: {problem}")
        if problems:
            raise Refused("these settings are wrong, correct them and start again:\n" + "\n".join(f"  {line}" for line in problems))
        return cls(**_completed(values, env))

    def require(self, *names: str) -> None:
        """Raises Refused that lists which of these fields are empty and how to set each."""
        table = {setting.field: setting for setting in SETTINGS}
        if unknown := [name for name in names if name not in table]:
            raise LookupError(f"no such setting: {', '.join(unknown)}")
        if missing := [table[name] for name in names if not getattr(self, name)]:
            lines = "\n".join(f"  {' or '.join(setting.names)}: {setting.meaning}" for setting in missing)
            raise Refused(f"these settings are missing, set them in the environment:\n{lines}")

    @property
    def demo(self) -> bool:
        """Demo mode is on exactly when there are engineering controls to forward to."""
        return bool(self.demo_controls_url)


# --- the table -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """One row of docs/settings.md. `names`: environment variables, the first one that is set wins."""

    field: str
    names: tuple[str, ...]
    meaning: str
    read: Callable[[str], Any] = read_text
    default: str = ""
    default_note: str = ""  # shown instead of an empty default
    secret: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "github_token",
        ("SRE_GITHUB_TOKEN", "GITHUB_PERSONAL_ACCESS_TOKEN"),
        "token with which the bot reads and writes the repository",
        secret=True,
    ),
    Setting("repository", ("SRE_REPOSITORY", "GITHUB_REPOSITORY"), "the repository to look after, as owner/name", read_repository),
    Setting(
        "bot_login",
        ("SRE_BOT_LOGIN",),
        "the account that the bot writes with; needed in jobs, whose own token may not ask who the bot is",
        default_note="asked of GitHub",
    ),
    Setting("github_api_url", ("GITHUB_API_URL",), "GitHub's REST API", read_secret_url, "https://api.github.com"),
    Setting("github_web_url", ("GITHUB_SERVER_URL",), "GitHub's pages, for links", read_url, "https://github.com"),
    Setting(
        "webhook_secret", ("SRE_WEBHOOK_SECRET",), "the secret of the repository's webhook; without it webhooks are refused", secret=True
    ),
    Setting(
        "marker_key",
        ("SRE_MARKER_KEY",),
        "key of the marks on the bot's own texts; the same for every process and job of one repository",
        default_note="derived from the token: set it before you change the token or use two",
        secret=True,
    ),
    Setting(
        "ingest_token",
        ("SRE_INGEST_TOKEN",),
        "bearer token that services send with their telemetry",
        default_note="telemetry only from this machine",
        secret=True,
    ),
    Setting(
        "feed_key",
        ("SRE_FEED_KEY",),
        "key that signs the thoughts that jobs post to the feed",
        default_note="such posts are refused",
        secret=True,
    ),
    Setting("feed_url", ("SRE_FEED_URL",), "where jobs post their thoughts: the always-on process's address and `/api/events`", read_url),
    Setting(
        "public_url", ("SRE_PUBLIC_URL", "RENDER_EXTERNAL_URL"), "address of the always-on process as people reach it, for links", read_url
    ),
    Setting(
        "host",
        ("SRE_HOST",),
        "address to listen on",
        default_note="`127.0.0.1`; `0.0.0.0` in the cloud profile",
    ),
    Setting("port", ("PORT",), "port to listen on; 0 takes any free one", read_port, "8001"),
    Setting(
        "grpc_port",
        ("SRE_GRPC_PORT",),
        "port for OTLP/gRPC, usually 4317; needs the extra `sre-space[grpc]`",
        read_optional_port,
        default_note="no gRPC",
    ),
    Setting(
        "allowed_hosts",
        ("SRE_ALLOWED_HOSTS",),
        "names by which the process may be addressed (Host header), separated by commas; the hosts of `SRE_PUBLIC_URL` and "
        "`RENDER_EXTERNAL_HOSTNAME` are always added",
        read_hosts,
        ", ".join(LOOPBACK_HOSTS),
    ),
    Setting(
        "allowed_origins",
        ("SRE_ALLOWED_ORIGINS",),
        "origins of monitor pages hosted elsewhere that may read state and feed, separated by commas",
        read_origins,
        default_note="none",
    ),
    Setting(
        "profile",
        ("SRE_PROFILE",),
        "`local` (everything at full speed) or `cloud` (small and throttled)",
        one_of(_PROFILES),
        default_note="`cloud` on Render, else `local`",
    ),
    Setting("tick_s", ("SRE_TICK_S",), "seconds between two looks of Scout", read_seconds, "0.5"),
    Setting(
        "sweep_s",
        ("SRE_SWEEP_S",),
        "seconds between two looks at all open incidents",
        read_seconds,
        default_note="20; 120 in the cloud profile",
    ),
    Setting("policies_dir", ("SRE_POLICIES_DIR",), "folder of the policies", lambda text: Path(read_text(text)), "policies"),
    Setting("log_level", ("SRE_LOG_LEVEL",), "debug, info, warning or error", one_of(_LOG_LEVELS), "info"),
    Setting(
        "openai_api_key",
        ("OPENAI_API_KEY",),
        "key for the model that Brain may ask",
        default_note="Brain reasons from the evidence alone",
        secret=True,
    ),
    Setting("openai_base_url", ("OPENAI_BASE_URL",), "another endpoint that speaks OpenAI's API", read_url, default_note="OpenAI's"),
    Setting("openai_model", ("SRE_OPENAI_MODEL", "OPENAI_MODEL"), "the model's name", default="gpt-4o"),
    Setting(
        "embedding",
        ("SRE_EMBEDDING",),
        "`offline` (hashed words, no model, no network) or `openai` (the endpoint of `OPENAI_BASE_URL`): how the memory embeds texts",
        one_of(_EMBEDDINGS),
        "offline",
    ),
    Setting("openai_embedding_model", ("OPENAI_EMBEDDING_MODEL",), "the embedding model's name", default="text-embedding-3-small"),
    Setting("chroma_path", ("SRE_CHROMA_PATH",), "folder of the embedded ChromaDB", lambda text: Path(read_text(text)), ".sre/chroma"),
    Setting("chroma_url", ("CHROMA_URL",), "a shared ChromaDB server instead of the embedded one", read_url, default_note="embedded"),
    Setting(
        "demo_controls_url",
        ("SRE_DEMO_CONTROLS_URL",),
        "engineering controls that `POST /demo/inject-failure` forwards to; demo mode is on exactly when this is set",
        read_url,
        default_note="demo mode off",
    ),
    Setting("demo_controls_token", ("SRE_DEMO_CONTROLS_TOKEN",), "bearer token for the engineering controls", secret=True),
)


def _given(setting: Setting, env: Mapping[str, str]) -> tuple[str, str]:
    """The variable that counts and its text, surrounding white space removed; the first name and the default when none is set."""
    for name in setting.names:
        if text := env.get(name, "").strip():
            return name, text
    return setting.names[0], setting.default


def _completed(values: dict[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """Defaults that follow from other settings."""
    done = dict(values)
    done["profile"] = values["profile"] or ("cloud" if env.get("RENDER") else "local")
    cloud = done["profile"] == "cloud"
    done["host"] = values["host"] or ("0.0.0.0" if cloud else "127.0.0.1")
    done["sweep_s"] = values["sweep_s"] or (120.0 if cloud else 20.0)
    own = (env.get("RENDER_EXTERNAL_HOSTNAME", "").strip(), urlsplit(values["public_url"]).hostname or "")
    done["allowed_hosts"] = tuple(dict.fromkeys([*values["allowed_hosts"], *(name.lower() for name in own if name)]))
    if not values["marker_key"] and values["github_token"]:
        token = values["github_token"].encode()
        done["marker_key"] = hmac.new(token, b"sre-space: marker key", hashlib.sha256).hexdigest()
    return done


def settings_page() -> str:
    """docs/settings.md, generated from the table above."""
    rows = [_row(setting) for setting in SETTINGS]
    head = [
        "# Settings",
        "",
        "<!-- Generated: python -m bot.settings > docs/settings.md -->",
        "",
        "Everything is set by environment variables, read once at the start. Empty means unset. Wrong values are all named at once.",
        "Limits and thresholds are not here: they stand in `policies/`.",
        "",
        "| variable | default | secret | meaning |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


def _row(setting: Setting) -> str:
    names = " or ".join(f"`{name}`" for name in setting.names)
    default = setting.default_note or (f"`{setting.default}`" if setting.default else "")
    return f"| {names} | {default} | {'yes' if setting.secret else ''} | {setting.meaning} |"


SECRET_FIELDS = frozenset(item.name for item in fields(Settings) if not item.repr)


if __name__ == "__main__":
    print(settings_page(), end="")
