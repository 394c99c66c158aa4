"""`python -m desk`: run the whole desk, or look after one that runs."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - said here, before a module that an older Python cannot read
    sys.exit("desk: Python 3.11 or later is needed, this is " + sys.version.split()[0] + ".")

import argparse
from collections.abc import Callable

from desk import lifecycle, preparation, upgrade
from desk.config import Config
from desk.control import ask
from desk.errors import DeskError
from desk.supervisor import Options


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        config = Config.read(components=getattr(options, "components", ""))
        return _COMMANDS[options.command](config, options)
    except DeskError as error:
        print(f"desk: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m desk", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("run", "run the desk in the foreground"),
        ("serve", "run the desk in the foreground without the components' log lines"),
        ("up", "run the desk in the background and wait until it is ready"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--components", default="", help="comma-separated; all when left out")
        command.add_argument(
            "--no-prepare", action="store_true", help="no keys, migrations, static files, demo"
        )
    for name, text in (
        ("down", "stop the desk and whatever a killed one left behind; keep the data"),
        ("status", "print each component's state; exit code 1 unless all are ready"),
        ("secrets", "create the folders and the generated secrets"),
        ("demo-hint", "print the dashboard's address, the demo login and a curl line"),
        ("upgrade-database", "bring the data folder of an older PostgreSQL to this one"),
    ):
        commands.add_parser(name, help=text)
    for name in ("start", "stop", "restart", "kill"):
        command = commands.add_parser(name, help=f"{name} one component of the running desk")
        command.add_argument("name")
    command = commands.add_parser("logs", help="print the end of the logs")
    command.add_argument("names", nargs="*")
    command.add_argument("-n", "--lines", type=int, default=20)
    command.add_argument("-f", "--follow", action="store_true")
    return parser


def _operate(config: Config, options: argparse.Namespace) -> int:
    try:
        answer = ask(config.home.control_socket, {"op": options.command, "name": options.name})
    except ConnectionError as error:
        raise DeskError("the desk does not run.") from error
    print(f"{options.name}: {options.command} done, pid {answer.get('pid')}")
    return 0


def _simple(function: Callable[[Config], None]) -> Callable[[Config, argparse.Namespace], int]:
    def command(config: Config, _: argparse.Namespace) -> int:
        function(config)
        return 0

    return command


def _run(config: Config, options: argparse.Namespace) -> int:
    chosen = Options(prepare=not options.no_prepare)
    if options.command == "run":
        lifecycle.run(config, chosen)
    else:
        lifecycle.serve(config, chosen)
    return 0


def _up(config: Config, options: argparse.Namespace) -> int:
    lifecycle.up(config, prepare=not options.no_prepare)
    return 0


def _logs(config: Config, options: argparse.Namespace) -> int:
    lifecycle.logs(config, options.names, options.lines, follow=options.follow)
    return 0


_COMMANDS: dict[str, Callable[[Config, argparse.Namespace], int]] = {
    "run": _run,
    "serve": _run,
    "up": _up,
    "down": _simple(lifecycle.down),
    "status": lambda config, _: 0 if lifecycle.status(config) else 1,
    "secrets": _simple(lambda config: config.home.prepare()),
    "demo-hint": _simple(lambda config: print(preparation.demo_hint(config))),
    "upgrade-database": _simple(upgrade.upgrade_database),
    "start": _operate,
    "stop": _operate,
    "restart": _operate,
    "kill": _operate,
    "logs": _logs,
}

if __name__ == "__main__":
    sys.exit(main())
