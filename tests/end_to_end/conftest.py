"""What the tests from end to end share."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from functools import cache

import pytest

from tests.copies import Copier, copier


@pytest.fixture(scope="session")
def process_copier() -> Iterator[Copier]:
    """Who starts the forwarder's processes, for all tests."""
    with copier() as one:
        yield one


@pytest.fixture(scope="session", autouse=True)
def one_tls_context() -> Iterator[None]:
    """Clients read all root certificates each time one is made, though nothing here speaks TLS: once is enough."""
    patch = pytest.MonkeyPatch()
    patch.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
    yield
    patch.undo()
