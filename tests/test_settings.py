"""Settings that are computed: how PostgreSQL is reached."""

import pytest

from tradingsite.settings import NOTICE_DEAD_PEER, database


@pytest.mark.parametrize("url", ["", "postgres:///desk", "postgres:////var/run/postgresql/desk"])
def test_over_a_socket_of_this_host_a_dead_peer_needs_no_noticing(url: str) -> None:
    options = database(url, embedded_user="runtime")["OPTIONS"]
    assert not NOTICE_DEAD_PEER.keys() & options.keys()
    assert options["connect_timeout"] == 2


@pytest.mark.parametrize("host", ["db.example.org", "db.example.org:6432", "10.0.0.7", "[::1]:5432"])
def test_over_tcp_a_dead_peer_is_noticed_long_before_a_lease_has_run_out(host: str) -> None:
    options = database(f"postgres://runtime:secret@{host}/desk", embedded_user="runtime")["OPTIONS"]
    silent = options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"]
    assert 0 < silent <= 10
    assert 0 < options["tcp_user_timeout"] <= 10_000


def test_what_the_url_says_counts() -> None:
    url = "postgres://runtime@db.example.org/desk?keepalives_idle=60&sslmode=require"
    options = database(url, embedded_user="runtime")["OPTIONS"]
    assert (options["keepalives_idle"], options["keepalives_count"], options["sslmode"]) == (60, 3, "require")
