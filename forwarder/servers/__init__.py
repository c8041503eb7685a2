"""PostgreSQL and Redis of the program's own, for those who set no DATABASE_URL or REDIS_URL.

``binaries`` finds the programs, ``postgres`` and ``redis`` set them up, ``warden`` ties them to the life of
the process that asked for them, ``embedded`` is the door the rest of the program uses.
"""

from forwarder.servers.embedded import (
    ServerUrls,
    database_url_for_tools,
    embedded,
    redis_url_for_tools,
    running_servers,
    service_urls,
)
from forwarder.servers.postgres import start_postgres
from forwarder.servers.redis import start_redis
from forwarder.servers.running import RunningServer

__all__ = [
    "RunningServer",
    "ServerUrls",
    "database_url_for_tools",
    "embedded",
    "redis_url_for_tools",
    "running_servers",
    "service_urls",
    "start_postgres",
    "start_redis",
]
