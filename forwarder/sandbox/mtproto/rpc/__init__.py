"""The methods of the MTProto door, by area."""

from . import (
    accounts,
    bots,
    channels,
    dialogs,
    differences,
    files,
    forums,
    history,
    invites,
    members,
    sending,
    server,
)
from .registry import Caller, Method, find, method_names

_AREAS = (
    accounts,
    bots,
    channels,
    dialogs,
    differences,
    files,
    forums,
    history,
    invites,
    members,
    sending,
    server,
)

__all__ = ["Caller", "Method", "find", "method_names"]
