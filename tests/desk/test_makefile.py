import os
import shutil
import subprocess
from pathlib import Path

import pytest

from desk.config import CHECKOUT

TARGETS = [
    "setup",
    "run",
    "up",
    "down",
    "demo",
    "test",
    "lint",
    "bench",
    "chaos",
    "chaos-races",
    "chaos-mutants",
    "help",
]


def make(*arguments: str, cwd: Path = CHECKOUT, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | ({"PATH": path} if path else {})
    command = [shutil.which("make") or "make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def test_help_names_every_target() -> None:
    lines = make("help").stdout.splitlines()
    assert sorted(line.split()[1] for line in lines) == sorted(TARGETS)
    assert all(len(line.split()) > 3 for line in lines)


def test_a_python_that_is_too_old_is_one_clear_line(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(CHECKOUT / name, checkout)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "cat", "cksum", "cut"):
        (tools / name).symlink_to(shutil.which(name) or name)
    old = tools / "python3"
    old.write_text("#!/bin/bash\n[ \"$1\" = --version ] && echo 'Python 3.9.2'\nexit 0\n")
    old.chmod(0o755)
    result = make("setup", cwd=checkout, path=str(tools))
    assert result.returncode != 0
    assert "make: Python 3.11 or later is needed; there is Python 3.9.2." in result.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_has_an_exact_version(name: str) -> None:
    lines = [line for line in (CHECKOUT / name).read_text().splitlines() if line and line[0] not in "#-"]
    assert lines
    assert [line for line in lines if line.count("==") != 1] == []


def test_every_direct_import_is_required() -> None:
    """A package that only happens to be installed would be missing on a fresh machine."""
    import ast
    import sys
    from importlib.metadata import packages_distributions

    required = {
        line.split("==")[0].split("[")[0].lower().replace("_", "-")
        for line in (CHECKOUT / "requirements.txt").read_text().splitlines()
        if "==" in line
    }
    distributions = packages_distributions()
    ours = {"brokers", "desk", "failpoints", "orders", "tasks", "tradingsite", "venue"}
    missing = set()
    for package in ours:
        for path in (CHECKOUT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [node.module]
                for top in {name.split(".")[0] for name in names} - ours - set(sys.stdlib_module_names):
                    found = {name.lower().replace("_", "-") for name in distributions.get(top, [])}
                    if not found & required:
                        missing.add((top, str(path.relative_to(CHECKOUT))))
    assert missing == set()
