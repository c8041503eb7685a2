"""Settings are read once, refused early, by name, all at once, and keep their secrets."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from forwarder.errors import SettingsError
from forwarder.settings import Need, Settings, load_settings, public_url

TOKEN = "700000001:AAF_0123456789abcdefghijklmnopqrstuv"
HASH = "0123456789abcdef0123456789abcdef"
KEY = Fernet.generate_key().decode()
PEM = "-----BEGIN RSA PUBLIC KEY-----\nMIIBCgKCAQEA\n-----END RSA PUBLIC KEY-----\n"


@pytest.fixture(autouse=True)
def empty_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("ENV_FILE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(need: Need = Need.NOTHING, **overrides: object) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(need, **overrides)
    assert caught.value.exit_status == 2
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_nothing_is_needed_to_look_at_the_defaults() -> None:
    settings = load_settings()
    assert settings.max_concurrent_forwards == 10
    assert settings.log_level == "INFO"
    assert settings.debug_mode is False
    assert settings.admin_ids == ()
    assert settings.database_url is None
    assert not settings.has_user


def test_the_other_logins_take_their_names_from_the_listeners() -> None:
    settings = load_settings(user_session_file_path="keep/user.session")
    assert settings.listener_session == Path("keep/user.session")
    assert settings.sender_session == Path("keep/user.sender.session")
    assert settings.bot_session == Path("keep/bot.session")


def test_the_environment_beats_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text(
        "MAX_CONCURRENT_FORWARDS=3\nLOG_LEVEL=debug\nSOMEBODY_ELSES=1\n", encoding="utf-8"
    )
    monkeypatch.setenv("MAX_CONCURRENT_FORWARDS", "4")
    settings = load_settings()
    assert (settings.max_concurrent_forwards, settings.log_level) == (4, "DEBUG")


def test_another_env_file_can_be_named_or_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("MAX_CONCURRENT_FORWARDS=3\n", encoding="utf-8")
    Path("other.env").write_text("MAX_CONCURRENT_FORWARDS=5\n", encoding="utf-8")
    monkeypatch.setenv("ENV_FILE", "other.env")
    assert load_settings().max_concurrent_forwards == 5
    monkeypatch.setenv("ENV_FILE", "")
    assert load_settings().max_concurrent_forwards == 10
    monkeypatch.setenv("ENV_FILE", "absent.env")
    assert "ENV_FILE names a file that does not exist (absent.env)" in refusal()


def test_an_empty_value_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_TOKEN", "")
    monkeypatch.setenv("API_ID", "")
    assert load_settings().bot_token is None
    assert "BOT_TOKEN is missing: ask @BotFather" in refusal(Need.BOT)


def test_everything_wrong_is_told_in_one_breath(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_TOKEN", "your-token-here")
    monkeypatch.setenv("ADMIN_IDS", "12, me")
    monkeypatch.setenv("DATABASE_URL", "mysql://root@db/x")
    monkeypatch.setenv("API_ID", "twelve")
    text = refusal(Need.BOT | Need.USER)
    assert "BOT_TOKEN is still a placeholder: ask @BotFather" in text
    assert "ADMIN_IDS holds something that is not a Telegram id: write" in text
    assert "DATABASE_URL is not a PostgreSQL address: write" in text
    assert "API_ID is malformed: take" in text
    assert "API_HASH is missing: take" in text
    assert "ENCRYPTION_KEY is missing: make one" in text
    assert text.startswith("6 settings need your attention")
    assert text.count("API_ID") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bot_token", "not a token"),
        ("bot_token", "123:short"),
        ("api_id", "-5"),
        ("api_hash", "zz" * 16),
        ("encryption_key", "c2hvcnQ="),
        ("database_url", "localhost/forwarder"),
        ("database_url", "postgresql://u:p@host:port/x"),
        ("redis_url", "http://localhost"),
        ("admin_ids", "12;13"),
        ("max_concurrent_forwards", "0"),
        ("debug_mode", "perhaps"),
        ("log_level", "LOUD"),
        ("sentry_dsn", "sentry"),
        ("telegram_bot_api_url", "localhost:8081"),
        ("telegram_mtproto_address", "localhost"),
        ("telegram_mtproto_key", "absent.pem"),
        ("flower_port", "70000"),
        ("flower_basic_auth", "nobody"),
    ],
)
def test_a_malformed_value_is_refused_by_name_with_a_remedy(name: str, value: str) -> None:
    text = refusal(**{name: value})
    assert name.upper() in text
    assert ": " in text.split(name.upper(), 1)[1]
    if name != "telegram_mtproto_key":  # a path is no secret, and naming it is the remedy
        assert value not in text.splitlines()[1].split(": ", 1)[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bot_token", "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11"),
        ("bot_token", "<token>"),
        ("bot_token", "123456:ABC..."),
        ("api_hash", "xxxxxxxxxxxxxxxx"),
        ("api_hash", "your_api_hash"),
        ("api_id", "<api id>"),
        ("encryption_key", "changeme"),
        ("database_url", "postgresql://forwarder:changeme@db/forwarder"),
    ],
)
def test_a_placeholder_is_called_a_placeholder(name: str, value: str) -> None:
    assert f"{name.upper()} is still a placeholder" in refusal(**{name: value})


def test_limits_of_ones_own_are_messages_per_seconds() -> None:
    settings = load_settings(pace="Careful", pace_bot_chat="20/60s, 1/1.5s")
    assert (settings.pace, settings.pace_bot_chat) == ("careful", ((1, 1.5), (20, 60.0)))
    assert settings.pace_user_chat is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pace", "fast"),
        ("pace_bot_chat", "1 a second"),
        ("pace_bot_account", "0/1s"),
        ("pace_user_account", "10/0s"),
        ("pace_user_chat", "1/1s,"),
    ],
)
def test_a_pace_that_cannot_be_kept_is_refused(name: str, value: str) -> None:
    said = refusal(**{name: value})
    assert name.upper() in said
    assert "write " in said


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_any_spelling_of_postgresql_names_our_driver(scheme: str) -> None:
    settings = load_settings(database_url=f"{scheme}://u:p%40ss@db:5432/forwarder?sslmode=require")
    assert settings.database_url is not None
    assert (
        settings.database_url.get_secret_value()
        == "postgresql+psycopg://u:p%40ss@db:5432/forwarder?sslmode=require"
    )


def test_socket_addresses_of_both_servers_are_accepted() -> None:
    settings = load_settings(
        database_url="postgresql://postgres@/x?host=/run/pg", redis_url="unix:///run/r?db=1"
    )
    assert settings.database_url is not None
    assert settings.redis_url is not None


def test_admins_are_numbers_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_IDS", " 12, 7 ,12,")
    assert load_settings().admin_ids == (12, 7)
    assert load_settings(admin_ids=[3, 4]).admin_ids == (3, 4)


def test_what_a_process_needs_depends_on_what_it_does() -> None:
    settings = load_settings(bot_token=TOKEN)
    assert settings.require(Need.BOT) is settings
    with pytest.raises(SettingsError, match="API_ID is missing"):
        settings.require(Need.BOT | Need.USER)
    whole = load_settings(
        Need.BOT | Need.USER, bot_token=TOKEN, api_id="5", api_hash=HASH, encryption_key=KEY
    )
    assert whole.has_user


def test_a_foreign_mtproto_server_needs_its_key(tmp_path: Path) -> None:
    user = {"api_id": 5, "api_hash": HASH, "encryption_key": KEY, "telegram_mtproto_address": "[::1]:4430"}
    assert "TELEGRAM_MTPROTO_KEY is missing" in refusal(Need.USER, **user)
    (tmp_path / "key.pem").write_text(PEM)
    settings = load_settings(Need.USER, telegram_mtproto_key="key.pem", **user)
    assert settings.mtproto_server == ("::1", 4430)
    (tmp_path / "bad.pem").write_text("hello")
    assert "names a file without a PEM public key (bad.pem)" in refusal(telegram_mtproto_key="bad.pem")


def test_secrets_print_as_stars() -> None:
    settings = load_settings(
        bot_token=TOKEN,
        api_hash=HASH,
        encryption_key=KEY,
        sentry_dsn="https://k3y@sentry.example/1",
        database_url="postgresql://u:hidden@db/x",
        redis_url="redis://:hidden@r/0",
        flower_basic_auth="a:hidden",
    )
    for shown in (repr(settings), str(settings), str(settings.model_dump())):
        for secret in (TOKEN, HASH, KEY, "k3y", "hidden"):
            assert secret not in shown
    assert set(settings.secrets()) >= {TOKEN, HASH, KEY, "a:hidden"}


def test_settings_cannot_be_changed_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().debug_mode = True  # type: ignore[misc]


def test_an_address_can_be_shown_without_its_password() -> None:
    assert public_url("redis://:pass@h:1/0") == "redis://:***@h:1/0"
    assert public_url("postgresql://u:p@h/x") == "postgresql://u:***@h/x"
    assert public_url("unix:///run/r?db=1") == "unix:///run/r?db=1"


def test_the_example_file_names_every_setting_and_holds_no_value_that_is_refused() -> None:
    example = Path(__file__).parents[2] / ".env.example"
    text = example.read_text(encoding="utf-8")
    for name in Settings.model_fields:
        assert f"{name.upper()}=" in text, name
    Path(".env").write_text(text, encoding="utf-8")
    load_settings()
