"""Logins on disk: one encrypted file per login, never half written, never readable by others.

The file is one Fernet token over a JSON document with the data centre, the authorisation key, the access
hashes this login has learned, and its update states.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from telethon import utils
from telethon.crypto import AuthKey
from telethon.sessions import MemorySession
from telethon.tl import types

from forwarder.errors import SessionError

VERSION = 1
SQLITE_MAGIC = b"SQLite format 3\x00"
SQLITE_SIDE_FILES = ("-journal", "-wal", "-shm")


@dataclass(slots=True)
class SessionState:
    """What a login remembers. ``peers`` maps a marked id to (access hash, username)."""

    dc_id: int = 0
    host: str = ""
    port: int = 0
    auth_key: bytes = b""
    peers: dict[int, tuple[int, str | None]] = field(default_factory=dict)
    updates: dict[int, tuple[int, int, float, int]] = field(default_factory=dict)

    def to_json(self) -> bytes:
        document = {
            "version": VERSION,
            "dc": [self.dc_id, self.host, self.port],
            "key": self.auth_key.hex(),
            "peers": [[peer, *known] for peer, known in sorted(self.peers.items())],
            "updates": [[box, *state] for box, state in sorted(self.updates.items())],
        }
        return json.dumps(document, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, text: bytes) -> SessionState:
        document = json.loads(text)
        if document["version"] != VERSION:
            raise ValueError(f"version {document['version']}")
        dc_id, host, port = document["dc"]
        return cls(
            dc_id=dc_id,
            host=host,
            port=port,
            auth_key=bytes.fromhex(document["key"]),
            peers={peer: (access_hash, username) for peer, access_hash, username in document["peers"]},
            updates={box: (pts, qts, date, seq) for box, pts, qts, date, seq in document["updates"]},
        )


class SessionFile:
    """One login's file. Reading a plain Telethon file at ``path`` takes it over: it is encrypted in place."""

    def __init__(self, path: Path, fernet: Fernet) -> None:
        self.path = path
        self._fernet = fernet
        self._written: bytes | None = None

    def load(self) -> SessionState | None:
        """The saved login, or None where there is no file.

        Raises :class:`~forwarder.errors.SessionError` for a wrong key or a damaged file, and changes nothing.
        """
        try:
            blob = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SessionError(f"The session file {self.path} cannot be read: {error.strerror}.") from error
        if blob.startswith(SQLITE_MAGIC):
            return self._take_over()
        state = self._open(blob)
        self._remove_side_files()
        return state

    def store(self, state: SessionState) -> None:
        """Write the file whole or not at all; nothing is written where nothing has changed."""
        text = state.to_json()
        if text == self._written and self.path.exists():
            return
        try:
            write_atomically(self.path, self._fernet.encrypt(text))
        except OSError as error:
            raise SessionError(
                f"The session file {self.path} cannot be written: {error.strerror}. "
                "Check the folder's owner and the free space."
            ) from error
        self._written = text

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)
        self._written = None

    def _open(self, blob: bytes) -> SessionState:
        if not blob.startswith(b"gAAAA"):
            raise SessionError(
                f"The session file {self.path} is damaged: it is neither one of ours nor one of Telethon's. "
                "Restore it from a backup, or move it away and run `manage.py login`."
            )
        try:
            text = self._fernet.decrypt(blob)
        except InvalidToken as error:
            raise SessionError(
                f"The session file {self.path} cannot be opened: ENCRYPTION_KEY is not the key it was "
                "encrypted with, or the file is damaged. Nothing was changed. Set the right key; "
                "without it, move the file away and run `manage.py login`."
            ) from error
        try:
            state = SessionState.from_json(text)
        except (ValueError, KeyError, TypeError) as error:
            raise SessionError(
                f"The session file {self.path} was written by another version of this program ({error}). "
                "Use that version, or move the file away and run `manage.py login`."
            ) from error
        self._written = text
        return state

    def _take_over(self) -> SessionState:
        state = read_telethon_file(self.path)
        # The rename replaces the plain file by the encrypted one in a single step.
        self.store(state)
        self._remove_side_files()
        return state

    def _remove_side_files(self) -> None:
        for suffix in SQLITE_SIDE_FILES:
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)


def write_atomically(path: Path, blob: bytes) -> None:
    """Readable by the owner only; after a power cut either the old file or the new one is there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_telethon_file(path: Path) -> SessionState:
    """The login in a plain Telethon SQLite file, of any of its schema versions with these tables."""
    try:
        with closing(sqlite3.connect(path, timeout=5)) as connection:
            return state_from_sqlite(connection)
    except sqlite3.Error as error:
        raise SessionError(
            f"The session file {path} is an SQLite file that cannot be read as a Telethon login ({error}). "
            "Nothing was changed. If another program uses it, stop that program; otherwise move the file "
            "away and run `manage.py login`."
        ) from error
    except LookupError:
        raise SessionError(
            f"The Telethon file {path} holds no login. Move it away and run `manage.py login`."
        ) from None


def state_from_sqlite(connection: sqlite3.Connection) -> SessionState:
    row = connection.execute("select dc_id, server_address, port, auth_key from sessions").fetchone()
    if row is None or not row[3]:
        raise LookupError
    tables = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
    entities: Iterator[tuple[int, int, str | None]] = iter(())
    if "entities" in tables:
        entities = connection.execute("select id, hash, username from entities")
    state = SessionState(row[0], row[1] or "", row[2] or 0, bytes(row[3]))
    state.peers = {peer: (access_hash, username) for peer, access_hash, username in entities}
    if "update_state" in tables:
        boxes = connection.execute("select id, pts, qts, date, seq from update_state")
        state.updates = {box: (pts, qts, float(date), seq) for box, pts, qts, date, seq in boxes}
    return state


class EncryptedSession(MemorySession):
    """Telethon's session over a :class:`SessionFile`.

    Names and phone numbers of people are not kept: an access hash by id or username is all that is needed.
    """

    def __init__(self, file: SessionFile) -> None:
        super().__init__()
        self._file = file
        self._peers: dict[int, tuple[int, str | None]] = {}
        self._held_back = False
        state = file.load()
        if state is None:
            return
        self._dc_id, self._server_address, self._port = state.dc_id, state.host or None, state.port
        self._auth_key = AuthKey(state.auth_key) if state.auth_key else None
        self._peers = state.peers
        self._update_states = {
            box: types.updates.State(pts, qts, datetime.fromtimestamp(date, UTC), seq, unread_count=0)
            for box, (pts, qts, date, seq) in state.updates.items()
        }

    @property
    def path(self) -> Path:
        return self._file.path

    @property
    def logged_in_once(self) -> bool:
        """Whether an account was ever logged in here; a key alone is made by any first connection."""
        return bool(self._auth_key) and 0 in self._peers

    def save(self) -> None:
        if self._held_back:
            return
        self._file.store(
            SessionState(
                dc_id=self._dc_id,
                host=self._server_address or "",
                port=self._port or 0,
                auth_key=self._auth_key.key if self._auth_key else b"",
                peers=dict(self._peers),
                updates={
                    box: (state.pts, state.qts, state.date.timestamp(), state.seq)
                    for box, state in self._update_states.items()
                },
            )
        )

    def close(self) -> None:
        self.save()

    def delete(self) -> None:
        self._file.delete()

    def forget_login(self) -> None:
        """Drop the key and the update states; the access hashes stay good for the account.

        The file stays as it is until :meth:`keep_login`: what Telegram has refused once may have been refused by
        mistake, and a new login may fail.
        """
        self._auth_key = None
        self._update_states = {}
        self._held_back = True

    def keep_login(self) -> None:
        """A new login has succeeded: it takes the old one's place."""
        self._held_back = False
        self.save()

    def process_entities(self, tlo: Any) -> None:
        for peer, access_hash, username, _phone, _name in self._entities_to_rows(tlo):
            self._peers[peer] = (access_hash, username)

    def forget_peer(self, marked_id: int) -> None:
        """Drop an access hash that the server refused."""
        self._peers.pop(marked_id, None)

    def get_entity_rows_by_id(self, id: int, exact: bool = True) -> tuple[int, int] | None:
        marked = (
            (id,)
            if exact
            else tuple(
                utils.get_peer_id(kind(id)) for kind in (types.PeerUser, types.PeerChat, types.PeerChannel)
            )
        )
        return next(((peer, self._peers[peer][0]) for peer in marked if peer in self._peers), None)

    def get_entity_rows_by_username(self, username: str) -> tuple[int, int] | None:
        wanted = username.lower()
        return next(
            ((peer, access_hash) for peer, (access_hash, name) in self._peers.items() if name == wanted), None
        )

    def get_entity_rows_by_phone(self, phone: str) -> None:
        return None

    def get_entity_rows_by_name(self, name: str) -> None:
        return None


def key_needed() -> str:
    """What to say when there is no ENCRYPTION_KEY: with a fresh one to paste."""
    return (
        "A login is only kept encrypted, and ENCRYPTION_KEY is not set. Put this line into .env and keep a "
        f"copy of it in a safe place; without it the logins cannot be opened again:\n\n"
        f"ENCRYPTION_KEY={Fernet.generate_key().decode()}\n"
    )
