"""What must have happened before the web process starts: keys, migrations, static files, the demo trader."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from desk.components import environment_of
from desk.config import CHECKOUT, Config
from desk.errors import DeskError
from desk.home import write_private
from desk.processes import Children

MANAGE = (sys.executable, "manage.py")


def prepare(config: Config, children: Children) -> None:
    """Create the vault's keys, migrate both databases, collect the static files. Safe to call twice.

    Raises DeskError naming the command that failed.
    """
    run(config, children, [[*MANAGE, "create_keys"]])
    commands: list[Sequence[str]] = []
    if "web" in config.components or "fleet" in config.components or "sweeps" in config.components:
        commands.append([*MANAGE, "migrate", "--database", "owner", "--noinput", "--verbosity", "0"])
        commands.append([*MANAGE, "collectstatic", "--noinput", "--verbosity", "0"])
    if "venue" in config.components:
        commands.append([sys.executable, "-m", "venue.migrate"])
    run(config, children, commands)


def create_demo(config: Config, children: Children) -> None:
    """Make the demo trader (once) and keep its login and webhook for the hint.

    Raises DeskError when the command fails or prints something else.
    """
    output = run(config, children, [[*MANAGE, "create_demo"]], keep_log=False)[0]  # it prints secrets
    try:
        demo = json.loads(output.strip().splitlines()[-1])
        missing = {"username", "password", "webhook_path", "secret"} - set(demo)
    except (ValueError, IndexError, TypeError) as error:
        raise DeskError("'manage.py create_demo' printed no JSON.") from error
    if missing:
        raise DeskError(f"create_demo printed no {', '.join(sorted(missing))}.")
    path = config.home.secrets / "demo.json"
    write_private(path, json.dumps(demo))


def demo_hint(config: Config) -> str:
    """Return the dashboard's address, the demo login and a curl line that sends an alert."""
    try:
        demo: dict[str, Any] = json.loads((config.home.secrets / "demo.json").read_text())
    except (OSError, ValueError) as error:
        raise DeskError("there is no demo trader yet; start the desk first.") from error
    now = """'"$(date -u +%Y-%m-%dT%H:%M:%SZ)"'"""
    alert = {"secret": demo["secret"], "action": "buy", "symbol": "AAPL", "quantity": 1, "timestamp": now}
    body = json.dumps(alert).replace(json.dumps(now), f'"{now}"')
    return "\n".join(
        (
            f"Dashboard: {config.url}/",
            f"Login:     {demo['username']} / {demo['password']}",
            *_operator(config, demo),
            f"An alert:  curl -sS {config.local_url}{demo['webhook_path']} "
            f"-H 'Content-Type: application/json' -d '{body}'",
        )
    )


def _operator(config: Config, demo: dict[str, Any]) -> list[str]:
    if "operator_username" not in demo:
        return []
    admin = config.environment.get("ADMIN_PATH") or "admin/"
    return [f"Operator:  {demo['operator_username']} / {demo['operator_password']} at {config.url}/{admin}"]


def run(
    config: Config, children: Children, commands: Sequence[Sequence[str]], *, keep_log: bool = True
) -> list[str]:
    """Run commands side by side and return what each printed; logs/prepare.log keeps it too.

    Raises DeskError with the last line of the first one that failed.
    """
    started = []
    for number, command in enumerate(commands):
        log = config.home.secrets / f"prepare-{number}.out"  # a private folder: a command may print secrets
        write_private(log, "")
        child = children.spawn(command, environment=environment_of(config, "prepare"), cwd=CHECKOUT, log=log)
        started.append((command, child, log))
    outputs, failure = [], ""
    for command, child, log in started:
        code = children.wait(child)
        text = log.read_text(errors="replace")
        outputs.append(text)
        log.unlink()
        if keep_log:
            with (config.home.logs / "prepare.log").open("a") as file:
                file.write(f"$ {' '.join(command[1:])}\n{text}")
        if code and not failure:
            lines = [line for line in text.splitlines() if line.strip()] or [f"exit code {code}"]
            failure = f"'{' '.join(command[1:3])}' failed: {lines[-1].strip()}"
    if failure:
        raise DeskError(failure)
    return outputs
