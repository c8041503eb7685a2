"""The Celery tasks: doors that know ids only. ``celery -A tasks worker`` finds the app here."""

from tasks.app import app

__all__ = ["app"]
