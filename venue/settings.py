"""The venue's settings; no other module reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class SettingsError(Exception):
    """A setting is missing or cannot be understood."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an operator can choose."""

    database_url: str
    """libpq conninfo or ``postgres://`` URL of the venue's own database."""
    control: bool = False
    """Whether the control endpoints (prices, sessions, faults) exist at all."""
    admin_token: str = ""
    """Bearer token of ``/admin`` and ``/control``; without one both answer 404."""
    seed: str = "7"
    """Seed of the random walk and of faults that strike with a probability."""
    fill_delay_ms: float = 3.0
    """From the acknowledgement's commit to the first attempt to execute."""
    tick_ms: float = 200.0
    """Time between two steps of the walk for symbols in play."""
    market_hours: str = "always"
    """``always``, or ``exchange`` for the sessions of XNYS."""
    assets: str = "any"
    """``any`` well-formed symbol of up to five letters trades, or only the ``listed`` ones."""
    takeover_seconds: float = 15.0
    """How long a start waits for another venue process on the same database to end."""
    pool_size: int = 8
    """Database connections; each open request holds one for two round trips."""


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment.

    Raises SettingsError, with the variable's name, when one is missing or malformed.
    """
    env = os.environ if environ is None else environ
    return Settings(
        database_url=_required(env, "VENUE_DATABASE_URL"),
        control=_choice(env, "VENUE_CONTROL", "0", ("0", "1")) == "1",
        admin_token=_secret(env, "VENUE_ADMIN_TOKEN"),
        seed=env.get("VENUE_SEED", "7"),
        fill_delay_ms=_number(env, "VENUE_FILL_DELAY_MS", 3.0),
        tick_ms=_number(env, "VENUE_TICK_MS", 200.0),
        market_hours=_choice(env, "VENUE_MARKET_HOURS", "always", ("always", "exchange")),
        assets=_choice(env, "VENUE_ASSETS", "any", ("any", "listed")),
        takeover_seconds=_number(env, "VENUE_TAKEOVER_SECONDS", 15.0),
        pool_size=int(_number(env, "VENUE_POOL_SIZE", 8)),
    )


def _secret(env: Mapping[str, str], name: str) -> str:
    path = env.get(f"{name}_FILE", "")
    if not path:
        return env.get(name, "")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{name}_FILE: {error}") from error


def _required(env: Mapping[str, str], name: str) -> str:
    value = _secret(env, name)
    if not value:
        raise SettingsError(f"{name} is not set")
    return value


def _choice(env: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = env.get(name, default)
    if value not in allowed:
        raise SettingsError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
    return value


def _number(env: Mapping[str, str], name: str, default: float) -> float:
    raw = env.get(name, "")
    try:
        value = float(raw) if raw else default
    except ValueError as error:
        raise SettingsError(f"{name} must be a number, not {raw!r}") from error
    if not 0 <= value < 86_400_000:
        raise SettingsError(f"{name} is out of range: {raw!r}")
    return value
