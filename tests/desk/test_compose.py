"""The production form names only what exists: commands, modules, settings, secrets, files."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from desk.config import CHECKOUT

COMPOSE: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("tradingsite:")}
ONE_SHOT = {"migrate", "keys", "venue-migrate"}
SERVING = {"postgres", "redis", "venue", "web", "flower", "nginx"}
NOT_SETTINGS = {"FLOWER_ADDRESS", "FLOWER_USER", "FLOWER_PASSWORD_FILE"}
"""Read by deploy/flowerconfig.py."""


def names_in(*paths: str) -> set[str]:
    """Return every upper-case name that the files quote."""
    text = "".join((CHECKOUT / path).read_text() for path in paths)
    return set(re.findall(r"[\"']([A-Z][A-Z_]+)[\"']", text))


def settings_read() -> set[str]:
    """Return the environment variables that the site and the venue read."""
    site = (CHECKOUT / "tradingsite/settings.py").read_text()
    return set(re.findall(r"env\.\w+\(\s*\"([A-Z_]+)\"", site)) | (
        names_in("venue/settings.py") - {"REQUIRED"}
    )


def example() -> set[str]:
    """Return the settings that .env.example has a line for."""
    return set(re.findall(r"^([A-Z_]+)=", (CHECKOUT / ".env.example").read_text(), re.MULTILINE))


def test_there_is_every_process_of_the_desk() -> None:
    wanted = {"postgres", "redis", "migrate", "web", "fleet", "sweeps", "beat", "flower", "venue", "nginx"}
    assert wanted <= set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_services_restart_serve_health_and_are_not_root(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == ("on-failure:5" if name in ONE_SHOT else "unless-stopped")
    assert ("healthcheck" in service) == (name in SERVING)
    assert service["user"] not in ("root", "0", "0:0")
    assert "inside" in service["networks"]
    published = [port for port in service.get("ports", []) if not port.startswith("127.0.0.1:")]
    assert bool(published) == (name == "nginx")


def check_command(command: list[str]) -> None:
    """Assert that what a command line names exists."""
    program, *rest = command
    if program == "sh":
        check_command(rest[1].split(" && ")[0].split())
    elif program == "uvicorn":
        module = rest[0].split(":")[0]
        assert importlib.util.find_spec(module), module
    elif program == "celery":
        assert rest[:2] == ["-A", "tradingsite"]
        assert rest[2] in ("worker", "beat", "flower")
    elif rest[0] == "manage.py":
        assert (CHECKOUT / "manage.py").exists()
        assert rest[1] in get_commands()
    else:
        assert rest[0] == "-m"
        assert importlib.util.find_spec(rest[1]), rest[1]


@pytest.mark.parametrize("name", OURS)
def test_commands_exist(name: str) -> None:
    check_command(OURS[name]["command"])


def test_flower_is_read_only_and_asks_for_a_password() -> None:
    config = next(part for part in OURS["flower"]["command"] if part.startswith("--conf="))
    path = CHECKOUT / Path(config.removeprefix("--conf=")).relative_to("/app")
    text = path.read_text()
    assert "read_only = True" in text
    assert "basic_auth = [" in text


@pytest.mark.parametrize("name", OURS)
def test_settings_exist(name: str) -> None:
    for setting, value in OURS[name].get("environment", {}).items():
        plain = setting.removesuffix("_FILE")
        assert setting in NOT_SETTINGS or plain in settings_read(), setting
        assert plain in example() or setting in example(), setting
        if setting.endswith("_FILE"):
            assert value.startswith("/run/secrets/")
            assert value.removeprefix("/run/secrets/") in OURS[name]["secrets"]


def test_every_setting_has_a_line_in_the_example_and_the_other_way_round() -> None:
    assert settings_read() - example() == set()
    assert example() - settings_read() - NOT_SETTINGS == set()


def test_secrets_come_from_files_that_the_script_writes() -> None:
    script = (CHECKOUT / "deploy/make-secrets.sh").read_text()
    for name, secret in COMPOSE["secrets"].items():
        assert name.startswith("tls_") or re.search(rf"\b{name}\b", script), name
        assert set(secret) == {"file"}
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])
    assert not re.search(r"(?i)password: +[^/${\s]", (CHECKOUT / "docker-compose.yml").read_text())


def test_the_script_writes_every_secret(tmp_path: Path) -> None:
    (tmp_path / "deploy/secrets").mkdir(parents=True)
    script = shutil.copy(CHECKOUT / "deploy/make-secrets.sh", tmp_path / "deploy")
    for _ in range(2):
        subprocess.run(["bash", script], check=True, capture_output=True)
        written = {path.name: path.read_text() for path in (tmp_path / "deploy/secrets").iterdir()}
        assert set(written) == {name for name in COMPOSE["secrets"] if not name.startswith("tls_")}
        assert written["db_app_password"] in written["database_url"]
        assert len(written["secret_key"]) >= 40


def test_web_cannot_see_the_key_of_broker_credentials() -> None:
    assert OURS["web"]["volumes"] == ["keys-web:/keys:ro"]
    assert OURS["web"]["environment"]["VAULT_OPEN_PURPOSES"] == "webhook"
    assert [name for name, service in OURS.items() if "keys:/keys:ro" in service.get("volumes", [])] == [
        "fleet"
    ]


def test_files_that_it_mounts_and_copies_exist() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (CHECKOUT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
    for source in re.findall(r"^COPY (?!--)(\S+)", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE):
        assert (CHECKOUT / source).exists(), source


def compose_client() -> list[str] | None:
    for command in (["docker", "compose"], ["docker-compose"]):
        if not shutil.which(command[0]):
            continue
        if subprocess.run([*command, "version"], capture_output=True).returncode == 0:
            return command
    return None


@pytest.mark.skipif(compose_client() is None, reason="no Docker client with compose on this machine")
def test_the_client_accepts_it(tmp_path: Path) -> None:
    command = [*(compose_client() or []), "--project-directory", str(CHECKOUT), "config", "--quiet"]
    environment = os.environ | {"DESK_HOST": "desk.example.com"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=CHECKOUT)
    assert result.returncode == 0, result.stderr
