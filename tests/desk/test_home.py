import os
import stat
from pathlib import Path

import pytest

from desk.errors import DeskError
from desk.home import MAX_SOCKET_PATH_BYTES, Home


def test_secrets_are_generated_once_and_private(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    first = home.read_secret("secret_key")
    home.prepare()
    assert home.read_secret("secret_key") == first
    assert len(first) >= 50
    assert len({path.read_text() for path in home.secrets.iterdir()}) == 4
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in home.secrets.iterdir())
    assert stat.S_IMODE(home.run.stat().st_mode) == 0o700


def test_a_long_path_gets_a_short_private_socket_folder(tmp_path: Path) -> None:
    home = Home(tmp_path / ("x" * 90))
    home.prepare()
    assert (home.root / "run").is_symlink()
    assert len(os.fsencode(home.run / ".s.PGSQL.5432.lock")) <= MAX_SOCKET_PATH_BYTES
    assert stat.S_IMODE(home.run.stat().st_mode) == 0o700
    before = home.run
    home.prepare()
    assert home.run == before
    before.rmdir()
    home.prepare()
    assert home.run.is_dir()
    assert home.run != before
    home.run.rmdir()


def test_a_socket_folder_that_others_can_enter_is_not_used(tmp_path: Path) -> None:
    home = Home(tmp_path / ("x" * 90))
    home.prepare()
    opened = home.run
    opened.chmod(0o755)
    home.prepare()
    assert home.run != opened
    opened.rmdir()
    home.run.rmdir()


def test_only_one_desk_has_the_lock(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with home.lock():
        assert home.is_locked()
        with pytest.raises(DeskError, match="another desk is running"):
            home.lock()
    assert not home.is_locked()


def test_an_unwritable_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeskError, match="cannot be written"):
        Home(tmp_path / "file" / "home").prepare()
