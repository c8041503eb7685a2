"""How a process that runs for long begins: its settings and its log, and nothing that it may not need."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from forwarder import log
from forwarder.servers import service_urls
from forwarder.settings import Need, Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]


def process_settings(name: str, need: Need = Need.NOTHING) -> Settings:
    """The settings of a process that runs for long, with its servers' addresses in them; sets up the log.

    Raises SettingsError, also where neither the settings nor a running ``manage.py run`` name the servers.
    """
    settings = load_settings(need)
    start_log(settings, name)
    database_url, redis_url = service_urls(settings)
    return settings.model_copy(
        update={"database_url": SecretStr(database_url), "redis_url": SecretStr(redis_url)}
    )


def start_log(settings: Settings, name: str) -> None:
    """The log of a process: readable in a terminal, else JSON; secrets as stars."""
    log.register_secrets(settings.secrets())
    log.configure(
        level=settings.log_level, debug=settings.debug_mode, log_file=settings.log_file, process=name
    )


def start_sentry(settings: Settings, name: str) -> None:
    """Send errors to Sentry where SENTRY_DSN is set. It starts threads; what is Celery's starts it itself."""
    if settings.sentry_dsn is not None:
        log.start_sentry(settings.sentry_dsn.get_secret_value(), process=name)
