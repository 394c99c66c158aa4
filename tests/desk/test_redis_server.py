import time
from pathlib import Path

import redis

from desk.home import Home
from desk.testing import Desk, running_desk


def client(desk: Desk) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(desk.home.redis_socket))


def test_settings(home: Home) -> None:
    with running_desk(home.root, ("redis",), prepare=False) as desk:
        with client(desk) as connection:
            settings = connection.config_get("*")
            assert settings["port"] == "0"
            assert settings["appendonly"] == "yes"
            assert settings["appendfsync"] == "everysec"
            assert settings["maxmemory-policy"] == "noeviction"
            assert settings["unixsocketperm"] == "700"


def test_data_survives_a_kill_and_a_restart(home: Home) -> None:
    with running_desk(home.root, ("redis",), prepare=False) as desk:
        with client(desk) as connection:
            connection.set("kept", "yes")
        time.sleep(1.2)  # appendfsync everysec
        before = desk.pid("redis")
        desk.kill("redis")
        desk.wait_ready("redis")
        assert desk.pid("redis") != before
        with client(desk) as connection:
            assert connection.get("kept") == b"yes"
        desk.restart("redis")
        with client(desk) as connection:
            assert connection.get("kept") == b"yes"


def test_a_torn_tail_of_the_append_only_file_is_dropped(home: Home) -> None:
    with running_desk(home.root, ("redis",), prepare=False) as desk:
        with client(desk) as connection:
            connection.set("kept", "yes")
    with append_only_file(home).open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$4\r\nto")
    with running_desk(home.root, ("redis",), prepare=False) as desk:
        with client(desk) as connection:
            assert connection.get("kept") == b"yes"
            assert connection.get("to") is None
    assert b"$4\r\nto" not in append_only_file(home).read_bytes()


def append_only_file(home: Home) -> Path:
    return home.redis / "appendonly.aof"
