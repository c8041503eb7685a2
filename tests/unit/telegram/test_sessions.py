"""Logins on disk: encrypted, whole, and never destroyed by a mistake."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from telethon.crypto import AuthKey
from telethon.sessions import SQLiteSession
from telethon.tl import types

from forwarder.errors import SessionError
from forwarder.telegram.sessions import EncryptedSession, SessionFile, key_needed

KEY = bytes(range(256))
CHANNEL = -1001234567890


@pytest.fixture
def fernet() -> Fernet:
    return Fernet(Fernet.generate_key())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions" / "user.session"


def filled(path: Path, fernet: Fernet) -> EncryptedSession:
    session = EncryptedSession(SessionFile(path, fernet))
    session.set_dc(2, "127.0.0.1", 8443)
    session.auth_key = AuthKey(KEY)
    session.process_entities(
        types.contacts.ResolvedPeer(
            types.PeerUser(7),
            [types.InputPeerUser(0, 7)],
            [types.InputPeerChannel(1234567890, 99887766554433)],
        )
    )
    session.set_update_state(
        0, types.updates.State(11, 2, datetime(2026, 1, 2, tzinfo=UTC), 3, unread_count=0)
    )
    session.set_update_state(
        1234567890,
        types.updates.State(500, 0, datetime(2026, 1, 2), 0, unread_count=0),  # noqa: DTZ001
    )
    session.save()
    return session


def plain_telethon_file(path: Path) -> None:
    path.parent.mkdir(parents=True)
    session = SQLiteSession(str(path))
    session.set_dc(2, "127.0.0.1", 8443)
    session.auth_key = AuthKey(KEY)
    session.process_entities(
        types.contacts.ResolvedPeer(
            types.PeerUser(7), [], [types.InputPeerChannel(1234567890, 99887766554433)]
        )
    )
    session.set_update_state(
        0, types.updates.State(11, 2, datetime(2026, 1, 2, tzinfo=UTC), 3, unread_count=0)
    )
    session.save()
    session.close()


def test_a_session_reads_back_as_it_was_saved(path: Path, fernet: Fernet) -> None:
    filled(path, fernet)
    again = EncryptedSession(SessionFile(path, fernet))
    assert (again.dc_id, again.server_address, again.port) == (2, "127.0.0.1", 8443)
    assert again.auth_key.key == KEY
    assert again.get_input_entity(CHANNEL).access_hash == 99887766554433
    assert again.get_input_entity(1234567890).channel_id == 1234567890
    states = dict(again.get_update_states())
    assert (states[0].pts, states[0].qts, states[0].seq) == (11, 2, 3)
    assert states[0].date == datetime(2026, 1, 2, tzinfo=UTC)
    assert states[1234567890].pts == 500
    assert again.logged_in_once


def test_nothing_of_a_session_is_readable_on_disk(path: Path, fernet: Fernet) -> None:
    filled(path, fernet)
    blob = path.read_bytes()
    assert KEY not in blob
    assert KEY.hex().encode() not in blob
    assert b"127.0.0.1" not in blob


def test_only_the_owner_may_read_a_session_and_its_folder(path: Path, fernet: Fernet) -> None:
    old = os.umask(0)
    try:
        filled(path, fernet)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_nothing_is_written_where_nothing_changed(path: Path, fernet: Fernet) -> None:
    session = filled(path, fernet)
    before = path.read_bytes()
    session.save()
    again = EncryptedSession(SessionFile(path, fernet))
    again.save()
    assert path.read_bytes() == before
    again.set_dc(2, "127.0.0.1", 9000)
    again.save()
    assert path.read_bytes() != before


def test_a_wrong_key_is_a_sentence_and_destroys_nothing(path: Path, fernet: Fernet) -> None:
    filled(path, fernet)
    before = path.read_bytes()
    with pytest.raises(SessionError, match="ENCRYPTION_KEY is not the key"):
        EncryptedSession(SessionFile(path, Fernet(Fernet.generate_key())))
    assert path.read_bytes() == before


@pytest.mark.parametrize("blob", [b"", b"garbage", b"gAAAAgarbage", b"SQLite format 3\x00garbage" * 50])
def test_a_damaged_file_is_a_sentence_and_stays(path: Path, fernet: Fernet, blob: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(blob)
    with pytest.raises(SessionError, match="move"):
        SessionFile(path, fernet).load()
    assert path.read_bytes() == blob


def test_a_cut_file_is_a_sentence(path: Path, fernet: Fernet) -> None:
    filled(path, fernet)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SessionError, match="damaged"):
        SessionFile(path, fernet).load()


def test_a_plain_telethon_file_is_taken_over_and_encrypted(path: Path, fernet: Fernet) -> None:
    plain_telethon_file(path)
    Path(f"{path}-journal").write_bytes(b"")
    session = EncryptedSession(SessionFile(path, fernet))
    assert session.auth_key.key == KEY
    assert session.get_input_entity(CHANNEL).access_hash == 99887766554433
    assert dict(session.get_update_states())[0].pts == 11
    blob = path.read_bytes()
    assert KEY not in blob
    assert not blob.startswith(b"SQLite")
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert EncryptedSession(SessionFile(path, fernet)).auth_key.key == KEY


def test_a_take_over_that_cannot_be_written_leaves_the_plain_file(
    path: Path, fernet: Fernet, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_telethon_file(path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SessionError, match="No space left"):
        SessionFile(path, fernet).load()
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_telethon_file_without_a_login_is_not_taken_over(path: Path, fernet: Fernet) -> None:
    path.parent.mkdir()
    session = SQLiteSession(str(path))
    session.save()
    session.close()
    with pytest.raises(SessionError, match="holds no login"):
        SessionFile(path, fernet).load()
    assert path.read_bytes().startswith(b"SQLite")


def test_a_missing_file_is_a_session_without_a_login(path: Path, fernet: Fernet) -> None:
    assert not EncryptedSession(SessionFile(path, fernet)).logged_in_once
    assert not path.exists()


def test_the_offered_key_is_a_fresh_one_that_works() -> None:
    lines = [line for line in key_needed().splitlines() if line.startswith("ENCRYPTION_KEY=")]
    assert lines != [line for line in key_needed().splitlines() if line.startswith("ENCRYPTION_KEY=")]
    Fernet(lines[0].removeprefix("ENCRYPTION_KEY="))
