"""No test reaches beyond this machine."""

import asyncio
import socket

import pytest


def test_a_connection_to_the_world_is_refused() -> None:
    with socket.socket() as plain, pytest.raises(OSError, match="beyond loopback"):
        plain.connect(("192.0.2.1", 80))
    with socket.socket() as plain, pytest.raises(OSError, match="beyond loopback"):
        plain.connect_ex(("192.0.2.1", 80))
    with socket.socket(type=socket.SOCK_DGRAM) as plain, pytest.raises(OSError, match="beyond loopback"):
        plain.sendto(b"?", ("192.0.2.1", 53))


def test_names_are_not_looked_up() -> None:
    with pytest.raises(OSError, match="look names up"):
        socket.create_connection(("api.telegram.org", 443))


async def test_asyncio_is_no_way_around_it() -> None:
    with pytest.raises(OSError, match="beyond loopback|look names up"):
        await asyncio.open_connection("192.0.2.1", 80)


def test_the_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
