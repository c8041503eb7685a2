"""What bad input gets: a sentence on stderr and an exit status, never a traceback."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from forwarder.bot.screens.why import delivery_text
from forwarder.bot.texts import Texts, plain
from forwarder.cli.root import cli
from forwarder.cli.why import lines
from forwarder.errors import OutcomeUnknown, TelegramError, Unavailable
from forwarder.message import DeliveryKind, Heard, Kind, Mode, Route, State
from forwarder.models import Language, MappingState
from forwarder.processes.roster import limits_of, processes
from forwarder.rules import CONDITIONS, VERBS
from forwarder.services.values import ChannelName
from forwarder.services.why import Behind, DeliveryStory, Explanation, MappingStory
from forwarder.settings import Settings, load_settings

TOKEN = "424242:AAF3Jv8zQm5LrT1xYw7KpN0bUc2HdSe9gRo"
HASH = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
DEAD_DATABASE = "postgresql://nobody@127.0.0.1:1/none"
ROOT = Path(__file__).resolve().parents[3]
DEAD_REDIS = "redis://127.0.0.1:1/0"

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command with these settings and no others, in an empty directory."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **settings: str) -> Result:
        for name, value in settings.items():
            monkeypatch.setenv(name.upper(), value)
        return CliRunner().invoke(cli, list(arguments))

    return run


def refused(result: Result, status: int, *words: str) -> None:
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.stderr


def test_help_names_every_command(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name in (
        "run",
        "demo",
        "login",
        "bot",
        "ingest",
        "worker",
        "beat",
        "flower",
        "sandbox",
        "db",
        "list",
        "rule",
        "why",
        "takeback",
    ):
        assert f"\n  {name} " in result.output


@pytest.mark.parametrize(
    "arguments",
    [["walk"], ["run", "--fast"], ["channel", "add"], ["mapping", "pause", "x"], ["demo", "--kill", "cat@2"],
     ["worker", "--concurrency", "0"], ["mapping", "set", "1"], ["mapping", "set", "1", "--lag", "skip:0h"],
     ["mapping", "outage", "1", "last"], ["mapping", "outage", "1", "all", "3"], ["why"], ["channel", "add", "@name"],
     ["takeback"], ["takeback", "1"], ["takeback", "1", "--post", "t.me/a/1"], ["takeback", "--minutes", "5"],
     ["rule", "add", "7", "deny"], ["rule", "try", "x"], ["rule", "try", "7", "t.me/a/1", "--last", "3"],
     ["list", "add"], ["list", "put", "papers", "@a"],
     ["list", "put", "papers", "--source"], ["list", "take", "papers"]],
)  # fmt: skip
def test_wrong_usage_is_explained_with_status_2(run: Run, arguments: list[str]) -> None:
    refused(run(*arguments), 2, "Usage:")


def test_missing_settings_are_all_named_at_once(run: Run) -> None:
    refused(run("run"), 2, "BOT_TOKEN is missing")
    refused(run("ingest"), 2, "API_ID is missing", "API_HASH is missing", "ENCRYPTION_KEY is missing")


def test_a_malformed_setting_is_named_without_its_value(run: Run) -> None:
    result = run("bot", bot_token="not-a-token")
    refused(result, 2, "BOT_TOKEN")
    assert "not-a-token" not in result.output


def test_login_without_a_key_offers_a_fresh_one_to_paste(run: Run) -> None:
    result = run("login", api_id="12345", api_hash=HASH)
    refused(result, 2, "ENCRYPTION_KEY is missing")
    offered = next(line for line in result.stderr.splitlines() if line.startswith("ENCRYPTION_KEY="))
    assert load_settings(encryption_key=offered.removeprefix("ENCRYPTION_KEY=")).encryption_key is not None


def test_processes_without_servers_say_what_to_set(run: Run) -> None:
    for command in ("bot", "worker", "beat", "flower"):
        refused(run(command, bot_token=TOKEN), 2, "DATABASE_URL is missing", "REDIS_URL is missing")


@pytest.mark.parametrize(
    "arguments",
    [["db", "upgrade"], ["channel", "list"], ["mapping", "list"], ["why", "https://t.me/name/1"]],
)
def test_a_dead_database_is_a_sentence(run: Run, arguments: list[str]) -> None:
    result = run(*arguments, bot_token=TOKEN, database_url=DEAD_DATABASE, redis_url=DEAD_REDIS)
    refused(result, 1, "PostgreSQL", "does not answer", "DATABASE_URL")


def test_tables_that_are_not_there_are_a_sentence(run: Run, empty_database_url: str) -> None:
    refused(run("channel", "list", database_url=empty_database_url, redis_url=DEAD_REDIS), 1, "db upgrade")


def test_a_migration_that_does_not_exist_is_a_sentence(run: Run, database_url: str) -> None:
    result = run("db", "upgrade", "--revision", "9999", database_url=database_url, redis_url=DEAD_REDIS)
    refused(result, 2, "9999", "alembic history")


def test_debug_mode_shows_where_an_error_came_from(run: Run) -> None:
    result = run("channel", "list", database_url=DEAD_DATABASE, redis_url=DEAD_REDIS, debug_mode="true")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Unavailable("Telegram does not answer."), "Telegram does not answer."),
        (TelegramError("FLOOD_WAIT_X", code=420, seconds=30), "Telegram refused: FLOOD_WAIT_X (30 s)"),
        (TelegramError("CONNECT_FAILED"), "Telegram does not answer. Check the network"),
        (OutcomeUnknown("Timed out"), "Telegram refused: Timed out"),
    ],
)
def test_errors_of_telegram_are_sentences(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("forwarder.cli.why.with_database", fails)
    refused(run("why", "https://t.me/name/1"), 1, words)


def test_an_error_of_the_programs_own_is_recorded_and_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("forwarder.cli.why.with_database", fails)
    result = run("why", "https://t.me/name/1", log_file="manage.log")
    assert result.exit_code == 1
    assert "an error of its own (ZeroDivisionError)" in result.stderr
    assert "by zero" in Path("manage.log").read_text()


def test_a_chat_id_is_an_argument_and_no_option(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Service:
        async def add(self, reference: str, **_: object) -> None:
            seen.append(reference)
            raise Unavailable("enough")

    class Opened:
        async def __aenter__(self) -> Service:
            return Service()

        async def __aexit__(self, *_: object) -> None:
            return None

    monkeypatch.setattr("forwarder.cli.channels.channel_service", lambda *_: Opened())
    monkeypatch.setattr("forwarder.cli.channels.with_database", lambda _, work: asyncio.run(work(None)))
    assert run("channel", "add", "-1001234567890", "--source").exit_code == 1
    assert seen == ["-1001234567890"]


def test_run_starts_what_the_settings_allow_and_says_what_is_missing(tmp_path: Path) -> None:
    alone = load_settings(bot_token=TOKEN)
    assert [spec.name for spec in processes(alone, {})] == ["bot", "worker", "beat", "flower"]
    assert "Without API_ID" in limits_of(alone)[0]
    path = tmp_path / "user.session"
    user = load_settings(bot_token=TOKEN, api_id=12345, api_hash=HASH, user_session_file_path=path)
    assert "manage.py login" in limits_of(user)[0]
    path.touch()
    assert "ingest" in [spec.name for spec in processes(user, {})]
    assert "only listens" in limits_of(user)[0]
    user.sender_session.touch()
    assert limits_of(user) == []
    groups = {spec.name: spec.stop_group for spec in processes(user, {})}
    assert groups["bot"] == groups["ingest"] < groups["beat"] < groups["worker"] == groups["user-worker"]
    assert groups["worker"] < groups["flower"]


def test_no_secret_is_on_a_command_line() -> None:
    specs = processes(load_settings(bot_token=TOKEN), {"DATABASE_URL": "postgresql://u:secretword@h/d"})
    for spec in specs:
        assert not any("secretword" in word or TOKEN in word for word in spec.argv)


def test_why_tells_the_story_in_lines() -> None:
    at = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    there, here = ChannelName(2, -1002, "Digest", "digest"), ChannelName(1, -1001, "City", None)
    delivery = DeliveryStory(
        5, 3, DeliveryKind.POST, there, State.FAILED, "no_right_to_post", Mode.COPY, Route.BOT, "@my_bot", 1,
        at, at, at, None, (), None,
    )  # fmt: skip
    story = Explanation(
        here, 42, kind=Kind.TEXT, heard=Heard.PUSH, heard_at=at, posted_at=at,
        deliveries=(delivery,), without=(MappingStory(4, there, MappingState.ACTIVE, "before_start"),),
    )  # fmt: skip
    told = "\n".join(lines(story))
    assert "Post 42 of City (-1001), text" in told
    assert "Digest (@digest), mapping 3: failed (no right to post in the destination)" in told
    assert "mapping 4: not sent, the post is older than the mapping" in told


def test_why_names_the_rule_and_the_words_that_stopped_a_post_and_that_the_copy_of_an_edit_stays() -> None:
    at, there = datetime(2026, 11, 22, 12, 0, tzinfo=UTC), ChannelName(2, -1002, "Digest", "digest")
    edit = DeliveryStory(
        5, 3, DeliveryKind.EDIT, there, State.FILTERED, "denied", None, None, None, 0, at, None, at, None, (), None,
        rule="no <sale>", words=("SALE", "sale"), revision=4,
    )  # fmt: skip
    story = Explanation(ChannelName(1, -1001, "City", None), 42, deliveries=(edit, replace(edit, words=())))
    first, second = lines(story)[1:]
    said = "the edit was filtered (refused by the rule “no <sale>” because of: SALE, sale) and the copy stays"
    assert said in first
    assert "(refused by the rule “no <sale>”)" in second
    assert "stays as it was (revision 4 of the mapping)" in first
    shown = plain(delivery_text(Texts(Language.RU), edit))
    assert "не пропущен правилом «no <sale>» из-за: SALE, sale" in shown
    assert "копия осталась прежней" in shown
    assert "по редакции 4 связки и её правил" in shown
    assert "revision 4 of the mapping" in plain(delivery_text(Texts(Language.EN), edit))
    assert "revision" not in plain(delivery_text(Texts(Language.EN), replace(edit, revision=None)))
    with_list = replace(edit, lists=((2, 3),))
    told = lines(Explanation(ChannelName(1, -1001, "City", None), 42, deliveries=(with_list,)))[1]
    assert "(revision 4 of the mapping, revision 3 of list:2)" in told
    assert "по редакции 4 связки и её правил, с ней редакция 3 списка list:2" in plain(
        delivery_text(Texts(Language.RU), with_list)
    )
    assert Texts(Language.EN).refusal("no_right_to_post", "x", ()) == Texts(Language.EN).reason(
        "no_right_to_post"
    )


def test_why_says_for_which_rule_a_post_waits_and_until_when() -> None:
    at, there = datetime(2026, 11, 22, 12, 0, tzinfo=UTC), ChannelName(2, -1002, "Digest", "digest")
    quiet = DeliveryStory(
        5, 3, DeliveryKind.POST, there, State.QUEUED, "quiet", None, None, None, 0, at, None, None, at, (), None
    )  # fmt: skip
    review = replace(quiet, state=State.HELD, reason="review")
    story = Explanation(ChannelName(1, -1001, "City", None), 42, deliveries=(quiet, review))
    first, second = lines(story)[1:]
    assert "waits its turn (quiet hours) until 2026-11-22" in first
    assert "is held (waits for review) until 2026-11-22" in second
    for language, next_try, until in (
        (Language.EN, "next try 22.11.2026", "until 22.11.2026"),
        (Language.RU, "следующая попытка 22.11.2026", "до 22.11.2026"),
    ):
        assert next_try in plain(delivery_text(Texts(language), quiet))
        assert until in (held := plain(delivery_text(Texts(language), review)))
        assert next_try not in held


def test_why_says_behind_which_post_one_waits_and_until_when() -> None:
    at, there = datetime(2026, 11, 22, 12, 0, tzinfo=UTC), ChannelName(2, -1002, "Digest", "digest")
    second = DeliveryStory(
        5, 3, DeliveryKind.POST, there, State.QUEUED, None, None, None, None, 0, at, None, None, None, (), None,
        behind=Behind(41, "quiet", at),
    )  # fmt: skip
    unnamed = replace(second, behind=Behind(41, None, at))
    story = Explanation(ChannelName(1, -1001, "City", None), 42, deliveries=(second, unnamed))
    first, other = lines(story)[1:]
    assert "waits its turn behind post 41, which waits (quiet hours) until 2026-11-22" in first
    assert "behind post 41, which waits until 2026-11-22" in other
    for language, behind, reason in (
        (Language.EN, "behind the post 41, which waits until 22.11.2026", "quiet hours"),
        (Language.RU, "за постом 41, который ждёт до 22.11.2026", "тихие часы"),
    ):
        assert behind in (said := plain(delivery_text(Texts(language), second)))
        assert reason in said
        assert behind in (said := plain(delivery_text(Texts(language), unnamed)))
        assert reason not in said


def test_why_says_whose_rules_do_not_read_and_what_mends_them() -> None:
    at, there = datetime(2026, 11, 22, 12, 0, tzinfo=UTC), ChannelName(2, -1002, "Digest", "digest")
    failed = DeliveryStory(
        5, 3, DeliveryKind.POST, there, State.FAILED, "rules_unreadable", None, None, None, 0, at, None, at, None, (),
        None, rule="rules[2].deny.regex", revision=4, owner="list:2",
    )  # fmt: skip
    told = lines(Explanation(ChannelName(1, -1001, "City", None), 42, deliveries=(failed,)))[1]
    assert "the rules kept for list:2 do not read (at rules[2].deny.regex)" in told
    assert "`manage.py rule set list:2`" in told
    shown = plain(delivery_text(Texts(Language.RU), failed))
    assert "правила list:2 не читаются (место: rules[2].deny.regex)" in shown
    assert "`manage.py rule set list:2`" in shown


def test_why_leaves_no_hole_where_it_was_not_kept_whose_rules_do_not_read() -> None:
    for language, words in (
        (Language.EN, "for its mapping or for a list did not read (at rules[2].deny.regex)"),
        (Language.RU, "связки или списка не читались (место: rules[2].deny.regex)"),
    ):
        said = plain(Texts(language).refusal("rules_unreadable", "rules[2].deny.regex", ()))
        assert words in said
        assert "`manage.py rule list`" in said
        assert "  " not in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rule", "add", "7", "deny", '{"words": "sale"'], ["no JSON", "line 1, column 17"]),
        (
            ["rule", "add", "7", "deny", '{"regex": "(a"}'],
            ["rule.deny.regex", "RE2 refuses", "missing )"],
        ),
        (["rule", "add", "7", "forbid", "x"], ["“forbid” is not known", "deny"]),
        (["rule", "add", "7", "footer", "{nope} x"], ["rule.footer: there is no {nope}", "{source_title}"]),
        (["rule", "add", "7", "header", "{Title}"], ["rule.header: there is no {Title}"]),
        (["rule", "add", "7", "footer", "{"], ["rule.footer: there is no {;", "written twice"]),
        (["rule", "add", "7", "footer", '"a\\d"'], ["no JSON"]),
        (["rule", "add", "7", "cut", "-1"], ["rule.cut: write a whole number from 20"]),
        (["rule", "add", "7", "cut", "9" * 30], ["rule.cut: write a whole number from 20"]),
        (["rule", "add", "7", "cut", "short"], ["rule.cut: write a whole number from 20"]),
        (["rule", "add", "seven", "cut", "100"], ["“seven” is neither a mapping's number nor list:NUMBER"]),
        (["rule", "list", "list:x"], ["“list:x”"]),
    ],
)
def test_an_ill_formed_rule_is_refused_with_its_place_before_a_server_is_asked(
    run: Run, arguments: list[str], words: list[str]
) -> None:
    refused(run(*arguments), 1, *words)


@pytest.mark.parametrize("text", ["[news]", "2026", "true", '"One" and "two"', '"{date}"', "-", "{date}"])
def test_a_footer_is_a_text_whatever_it_looks_like(run: Run, text: str) -> None:
    """It passes what is checked without a server, and meets one that is not there."""
    result = run("rule", "add", "7", "footer", text, database_url=DEAD_DATABASE, redis_url=DEAD_REDIS)
    refused(result, 1, "PostgreSQL", "does not answer")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list:2"], ["a list has no posts of its own", "`manage.py list show 2`"]),
        (["-5"], ["neither a mapping's number"]),
        (["9" * 30], ["neither a mapping's number"]),
        (["mapping:7", "--text", " "], ["--text"]),
    ],
)
def test_rules_are_tried_on_a_mapping_and_on_a_text(run: Run, arguments: list[str], words: list[str]) -> None:
    refused(run("rule", "try", *arguments), 2, *words)


def test_a_program_that_nobody_can_answer_reads_nothing_and_does_not_break() -> None:
    """As where a shell has closed its standard input (``<&-``)."""
    command = ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, str(ROOT / "manage.py"), "rule", "set", "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "This is no JSON" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_had_enough_ends_a_command_quietly() -> None:
    command = [sys.executable, str(ROOT / "manage.py"), "rule", "help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as helping:
        assert helping.stdout is not None
        assert helping.stderr is not None
        helping.stdout.close()
        assert helping.stderr.read() == ""


def test_the_help_of_rules_shows_every_verb_and_condition_with_an_example(run: Run) -> None:
    shown = run("rule", "help").output
    for word in (*VERBS, *CONDITIONS):
        assert f"\n  {word} " in shown
