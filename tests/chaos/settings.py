"""The hasty desk that chaos runs: what takes a minute elsewhere takes seconds here, so that a run sees it often."""

from pathlib import Path

from desk.home import Home

LEASE_TTL_SECONDS = 4.0
BROKER_TIMEOUT_SECONDS = 2.0

HASTE = {
    "FLEET_POOL_SIZE": "2",
    "FLEET_MAX_WORKERS": "20",
    "LEASE_TTL_SECONDS": f"{LEASE_TTL_SECONDS:g}",
    "LEASE_RENEW_SECONDS": "1",
    "LEASE_MARGIN_SECONDS": "1",
    "WORKER_WEDGED_SECONDS": "6",
    "WORKER_STOP_SECONDS": "10",
    "ENTRY_MAX_AGE_SECONDS": "20",
    "BROKER_TIMEOUT_SECONDS": f"{BROKER_TIMEOUT_SECONDS:g}",
    "UNDELIVERED_SECONDS": "1",
    "UNRESOLVED_SECONDS": "4",
    "LOOKUP_DELAYS_SECONDS": "0,0.2,0.4,0.8",
    "VERIFY_FIRST_SECONDS": "1",
    "VERIFY_RETRY_SECONDS": "2",
    "VERIFY_SLOW_SECONDS": "5",
    "SWEEP_DUE_SECONDS": "1",
    "SWEEP_ORPHANS_SECONDS": "2",
    "SWEEP_POOL_SECONDS": "5",
    "SWEEP_MARKET_HOURS_SECONDS": "5",
    "SWEEP_VALUATION_SECONDS": "20",
    "EXIT_QUOTE_MAX_AGE_SECONDS": "2",
    "FLEET_POOL_MAX": "4",
    "POOL_SHORT_SECONDS": "5",
    "POOL_SURPLUS_SECONDS": "5",
    "STATEMENT_TIMEOUT_MS": "8000",
}


def through_proxies(folder: Path, *, postgres: int, redis: int, venue: int) -> dict[str, str]:
    """Return the settings that lead a desk's processes through proxies on these ports; writes into `folder`.

    The two stores are given as files, which the processes read and the runner does not: to it they stay embedded, and
    it goes on keeping them alive.
    """
    addresses = {
        "DATABASE_URL": f"postgres://tradingsite_app@127.0.0.1:{postgres}/tradingsite?sslmode=disable",
        "OWNER_DATABASE_URL": f"postgres://tradingsite_owner@127.0.0.1:{postgres}/tradingsite?sslmode=disable",
        "REDIS_URL": f"redis://127.0.0.1:{redis}/0",
    }
    for name, address in addresses.items():
        (folder / name).write_text(address)
    return {f"{name}_FILE": str(folder / name) for name in addresses} | {
        "VENUE_URL": f"http://127.0.0.1:{venue}"
    }


def of_the_annex(home: Home, proxied: dict[str, str]) -> dict[str, str]:
    """Return the environment of the second desk, which has a fleet and a beat and the first desk's everything else."""
    stores = {
        name.removesuffix("_FILE"): Path(path).read_text()
        for name, path in proxied.items()
        if "_FILE" in name
    }
    return stores | {
        "VENUE_URL": proxied["VENUE_URL"],
        "SECRET_KEY_FILE": str(home.secrets / "secret_key"),
        "VAULT_KEYS_DIR": str(home.keys),
    }
