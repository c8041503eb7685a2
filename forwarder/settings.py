"""What a process needs to know before it starts: read once, checked at once, frozen.

Values come from the environment and from ``.env`` in the current directory; the environment wins. An empty
value counts as missing. ``ENV_FILE`` names another file than ``.env``; set but empty, it means none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from enum import Flag, auto
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit, urlunsplit

from cryptography.fernet import Fernet
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from forwarder.errors import SettingsError

_PLACEHOLDER = re.compile(
    r"""
    <.*> | \.\.\.$ | ^\*+$                                 # "<your token>", "123456:ABC..."
    | (^|[:/@])(x{3,}|change[-_ ]?me|replace[-_ ]?(me|this|with)|placeholder|todo)
    | (^|[-_:/@ ])your[-_ ]?(api|bot|token|key|hash|secret|password|host|id|dsn|user|name)
    | (token|key|hash|secret|password)[-_ ]here$
    | ^123456(789)?:ABC | ^110201543:AAHdqTcvCH1          # the examples of Telegram's own documentation
    """,
    re.IGNORECASE | re.VERBOSE,
)
_BOT_TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]{30,}")
_API_HASH = re.compile(r"[0-9a-fA-F]{32}")
_PUBLIC_KEY = re.compile(r"-----BEGIN (RSA )?PUBLIC KEY-----.+-----END (RSA )?PUBLIC KEY-----", re.DOTALL)


class Need(Flag):
    """What a process is about to do; decides which settings it cannot start without."""

    NOTHING = 0
    BOT = auto()
    """Speaks to the Bot API: BOT_TOKEN."""
    USER = auto()
    """Holds a login of the user account: API_ID, API_HASH and ENCRYPTION_KEY."""


_REQUIRED: Mapping[Need, tuple[str, ...]] = {
    Need.BOT: ("bot_token",),
    Need.USER: ("api_id", "api_hash", "encryption_key"),
}

_REMEDY: Mapping[str, str] = {
    "bot_token": "ask @BotFather for one (/newbot) and copy it whole: digits, a colon, 35 characters",
    "api_id": "take the number api_id from https://my.telegram.org (API development tools)",
    "api_hash": "take api_hash, 32 hexadecimal digits, from https://my.telegram.org (API development tools)",
    "database_url": "write it as postgresql://user:password@host:5432/name (special characters as %40), "
    "or remove it to use the embedded PostgreSQL",
    "redis_url": "write it as redis://:password@host:6379/0, rediss://… or unix:///path?db=0, "
    "or remove it to use the embedded Redis",
    "admin_ids": "write Telegram ids as numbers separated by commas, such as 1234567,7654321; "
    "the bot tells everyone who writes to it their own id",
    "max_concurrent_forwards": "write a whole number from 1 to 200",
    "outage_ask_after": "write the minutes as a whole number from 1 to 10080",
    "pace": "write normal, careful (for young accounts) or off (for a Telegram without limits: a real one bans)",
    **dict.fromkeys(
        ("pace_bot_account", "pace_bot_chat", "pace_user_account", "pace_user_chat"),
        "write messages/seconds, several with commas, such as 1/1s,20/60s: at most 20000 messages in at most 86400 s; "
        "or remove it to keep to PACE",
    ),
    "pace_scale": "write a number above 0, at most 1000; 1 is Telegram's published pace",
    "retention_days": "write a whole number of days from 2 to 3650",
    "encryption_key": 'make one with: python -c "from cryptography.fernet import Fernet; '
    'print(Fernet.generate_key().decode())" and keep it; without it the logins cannot be opened again',
    "debug_mode": "write true or false",
    "log_level": "write DEBUG, INFO, WARNING, ERROR or CRITICAL",
    "sentry_dsn": "copy the DSN (https://key@host/number) from Sentry's project settings, or remove it",
    "telegram_bot_api_url": "write it as http://host:port, or remove it to use Telegram's own server",
    "telegram_mtproto_address": "write it as host:port, or remove it to use Telegram's own servers",
    "telegram_mtproto_key": "name a readable PEM file with the server's RSA public key, or remove it",
    "flower_port": "write a port number from 1 to 65535",
    "flower_basic_auth": "write it as user:password, or remove it",
}


def _refuse(reason: str) -> PydanticCustomError:
    # The reason never repeats the value: half a token in a log is half a token too many.
    return PydanticCustomError("refused", "{reason}", {"reason": reason})


def _not_a_placeholder(value: object) -> object:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if isinstance(text, str) and _PLACEHOLDER.search(text):
        raise _refuse("is still a placeholder")
    return value.strip() if isinstance(value, str) else value


def _secret_shaped(fits: Callable[[str], bool], reason: str) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        if not fits(value.get_secret_value()):
            raise _refuse(reason)
        return value

    return AfterValidator(check)


def _is_fernet_key(text: str) -> bool:
    try:
        Fernet(text)
    except ValueError:
        return False
    return True


def _parts_are_sound(url: str, schemes: Iterable[str]) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.netloc or parts.path or parts.query)


def _postgres(value: SecretStr) -> SecretStr:
    """Any spelling of a PostgreSQL address becomes the one that names our driver, psycopg 3."""
    url = value.get_secret_value()
    if not _parts_are_sound(url, ("postgresql", "postgres", "postgresql+psycopg")):
        raise _refuse("is not a PostgreSQL address")
    return SecretStr("postgresql+psycopg://" + url.split("://", 1)[1]) if "://" in url else value


def _ids(value: object) -> object:
    if not isinstance(value, str):
        return value
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if not all(re.fullmatch(r"\d{1,19}", part) for part in parts):
        raise _refuse("holds something that is not a Telegram id")
    return tuple(dict.fromkeys(int(part) for part in parts))


def _windows(value: object) -> object:
    """``1/1s,20/60s`` as pairs of messages and seconds."""
    if not isinstance(value, str):
        return value
    windows = []
    for part in value.split(","):
        match = re.fullmatch(r"\s*(\d{1,5})\s*/\s*(\d{1,5}(?:\.\d{1,3})?)\s*s\s*", part)
        if match is None:
            raise _refuse("holds something that is not messages/seconds")
        messages, seconds = int(match[1]), float(match[2])
        if not (1 <= messages <= 20_000 and 0 < seconds <= 86_400):
            raise _refuse("holds a number that is too large or too small")
        windows.append((messages, seconds))
    return tuple(sorted(windows, key=lambda window: window[1]))


def _http_url(value: str) -> str:
    if not _parts_are_sound(value, ("http", "https")) or not urlsplit(value).hostname:
        raise _refuse("is not an http address")
    return value.rstrip("/")


def _address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not (host and colon and port.isdigit() and 0 < int(port) < 65536):
        raise _refuse("is not host:port")
    return value


def _public_key_file(path: Path) -> Path:
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        raise _refuse(f"names a file that does not exist ({path})") from None
    except (OSError, UnicodeDecodeError):
        raise _refuse(f"names a file that cannot be read as text ({path})") from None
    if not _PUBLIC_KEY.search(text):
        raise _refuse(f"names a file without a PEM public key ({path})")
    return path


_Given = BeforeValidator(_not_a_placeholder)
_BotToken = Annotated[
    SecretStr,
    _Given,
    _secret_shaped(lambda t: bool(_BOT_TOKEN.fullmatch(t)), "does not look like a bot token"),
]
_ApiHash = Annotated[
    SecretStr, _Given, _secret_shaped(lambda t: bool(_API_HASH.fullmatch(t)), "is not 32 hexadecimal digits")
]
_FernetKey = Annotated[SecretStr, _Given, _secret_shaped(_is_fernet_key, "is not a Fernet key")]
_RedisUrl = Annotated[
    SecretStr,
    _Given,
    _secret_shaped(lambda t: _parts_are_sound(t, ("redis", "rediss", "unix")), "is not a Redis address"),
]
_Dsn = Annotated[
    SecretStr, _Given, _secret_shaped(lambda t: _parts_are_sound(t, ("http", "https")), "is not a Sentry DSN")
]
_Windows = Annotated[tuple[tuple[int, float], ...], NoDecode, BeforeValidator(_windows)]
_UserPassword = Annotated[
    SecretStr, _Given, _secret_shaped(lambda t: bool(re.fullmatch(r"[^:]+:.+", t)), "is not user:password")
]


class Settings(BaseSettings):
    """All settings, frozen. Use :func:`load_settings`, which says what is wrong in sentences.

    Secrets are ``SecretStr``: they print as stars, ``.get_secret_value()`` opens them at the place of use.
    """

    model_config = SettingsConfigDict(
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,
    )

    bot_token: _BotToken | None = None
    api_id: Annotated[int, _Given, Field(gt=0, lt=2**31)] | None = None
    api_hash: _ApiHash | None = None
    database_url: Annotated[SecretStr, _Given, AfterValidator(_postgres)] | None = None
    redis_url: _RedisUrl | None = None
    admin_ids: Annotated[tuple[int, ...], NoDecode, BeforeValidator(_ids), _Given] = ()
    user_session_file_path: Path = Path("sessions/user.session")
    max_concurrent_forwards: Annotated[int, Field(ge=1, le=200)] = 10
    outage_ask_after: Annotated[int, Field(ge=1, le=10_080)] = 60
    pace: Annotated[
        Literal["normal", "careful", "off"],
        BeforeValidator(lambda v: v.strip().lower() if isinstance(v, str) else v),
    ] = "normal"
    pace_bot_account: _Windows | None = None
    pace_bot_chat: _Windows | None = None
    pace_user_account: _Windows | None = None
    pace_user_chat: _Windows | None = None
    pace_scale: Annotated[float, Field(gt=0, le=1000)] = 1.0
    retention_days: Annotated[int, Field(ge=2, le=3650)] = 30
    encryption_key: _FernetKey | None = None
    debug_mode: bool = False
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
        BeforeValidator(lambda v: v.strip().upper() if isinstance(v, str) else v),
    ] = "INFO"
    log_file: Path | None = None
    sentry_dsn: _Dsn | None = None
    telegram_bot_api_url: Annotated[str, _Given, AfterValidator(_http_url)] | None = None
    telegram_mtproto_address: Annotated[str, _Given, AfterValidator(_address)] | None = None
    telegram_mtproto_key: Annotated[Path, AfterValidator(_public_key_file)] | None = None
    flower_port: Annotated[int, Field(gt=0, lt=65536)] = 5555
    flower_basic_auth: _UserPassword | None = None
    data_dir: Path = Path("data")

    @property
    def listener_session(self) -> Path:
        """The login that ``ingest`` listens with: USER_SESSION_FILE_PATH itself."""
        return self.user_session_file_path

    @property
    def sender_session(self) -> Path:
        """The login that ``worker --user`` sends with, beside the listener's: ``user.sender.session``."""
        path = self.user_session_file_path
        return path.with_name(f"{path.stem}.sender{path.suffix}")

    @property
    def bot_session(self) -> Path:
        """The bot's own login over MTProto, beside the listener's: ``bot.session``."""
        path = self.user_session_file_path
        return path.with_name(f"bot{path.suffix}")

    @property
    def mtproto_server(self) -> tuple[str, int] | None:
        """Host and port of an MTProto server other than Telegram's own, or None."""
        if self.telegram_mtproto_address is None:
            return None
        host, _, port = self.telegram_mtproto_address.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def has_user(self) -> bool:
        """Whether a user account is configured at all; without one the bot works alone."""
        return self.api_id is not None

    def secrets(self) -> list[str]:
        """Every secret value, for the log's redaction; passwords of URLs are recognised there by shape."""
        held = (self.bot_token, self.api_hash, self.encryption_key, self.sentry_dsn, self.flower_basic_auth)
        return [secret.get_secret_value() for secret in held if secret is not None]

    def require(self, need: Need) -> Self:
        """Returns itself. Raises SettingsError naming every setting that ``need`` misses, with the remedy."""
        if problems := self.missing(need):
            raise SettingsError(_sentence(problems))
        return self

    def missing(self, need: Need, *, besides: Iterable[str] = ()) -> list[str]:
        """One line per setting that ``need`` cannot do without and that is not set, but for ``besides``."""
        names = [name for part, names in _REQUIRED.items() if part in need for name in names]
        if self.telegram_mtproto_address is not None and self.has_user:
            # Telethon knows the keys of Telegram's own servers alone.
            names.append("telegram_mtproto_key")
        return [
            f"{name.upper()} is missing: {_REMEDY[name]}."
            for name in names
            if name not in besides and getattr(self, name) is None
        ]


def load_settings(need: Need = Need.NOTHING, **overrides: object) -> Settings:
    """Reads the settings; ``overrides`` (by field name) beat the environment.

    Raises SettingsError whose text names all missing, malformed and placeholder values at once.
    """
    problems: list[str] = []
    accepted: dict[str, Any] = dict(overrides)
    bad: list[str] = []
    env_file = os.environ.get("ENV_FILE", ".env") or None
    if env_file not in (None, ".env") and not Path(env_file).is_file():
        problems.append(f"ENV_FILE names a file that does not exist ({env_file}): correct it or remove it.")
    while True:
        try:
            settings = Settings(_env_file=env_file, **accepted)
        except ValidationError as error:
            refused = {
                str(e["loc"][0]).lower(): _problem(str(e["loc"][0]).lower(), e["msg"], e["type"])
                for e in error.errors()
            }
            problems += refused.values()
            bad += refused
            # Once more with the defaults in their place, so that what is missing is told in the same breath.
            accepted |= {name: Settings.model_fields[name].default for name in refused}
        except UnicodeDecodeError:
            raise SettingsError(f"{env_file} is not UTF-8 text: save it as UTF-8.") from None
        else:
            break
    problems += settings.missing(need, besides=bad)
    if problems:
        raise SettingsError(_sentence(problems))
    return settings


def public_url(url: str) -> str:
    """The URL with its password as stars, fit for a screen or a log line."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.split(':', 1)[0]}:***@{host}"))


def _problem(name: str, message: str, kind: str) -> str:
    reason = message if kind == "refused" else "is malformed"
    remedy = _REMEDY.get(name)
    return f"{name.upper()} {reason}: {remedy}." if remedy else f"{name.upper()} {reason}."


def _sentence(problems: list[str]) -> str:
    head = "One setting needs" if len(problems) == 1 else f"{len(problems)} settings need"
    lines = "\n".join(f"  * {problem}" for problem in problems)
    return f"{head} your attention (environment or .env):\n{lines}"
