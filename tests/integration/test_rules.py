"""Rules are kept, checked, ordered, inherited from lists, and tried on posts that are stored."""

from __future__ import annotations

import asyncio
import json
import pkgutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from forwarder.cli.root import cli
from forwarder.cli.rules import told
from forwarder.errors import InvalidRequest, NotFound
from forwarder.message import AccountKind, Entity, SourceMessage
from forwarder.rules import Hold, Now, Passed, Refused, Withdraw
from forwarder.services import reviewing
from forwarder.services.kept_rules import rules_of
from forwarder.services.rules import Owner, RuleService, owner_of
from forwarder.settings import Settings
from forwarder.trial import Trial
from tests.builders import DIGEST, NEWS, OTHER, House, album, photo, post


async def labels(core: House, mapping: int) -> list[str]:
    async with core.db.begin() as session:
        return [rule.label for rule in (await rules_of(session, [mapping]))[mapping].rules]


async def revision(core: House, mapping: int) -> int:
    [row] = await core.run("select revision from mappings where id = :id", id=mapping)
    return int(row["revision"])


async def list_of(core: House, *pairs: tuple[int, int]) -> Owner:
    [row] = await core.run("insert into lists (name) select 'list ' || count(*) from lists returning id")
    for source, destination in pairs:
        for side, chat in (("source", source), ("destination", destination)):
            await core.run(
                "insert into list_channels values (:list, :channel, :side) on conflict do nothing",
                list=row["id"], channel=await core.channel(chat), side=side,
            )  # fmt: skip
    return Owner("list", row["id"])


async def test_a_list_and_a_mapping_must_not_leave_no_time_together(core: House) -> None:
    mapping = await core.mapping()
    service = RuleService(core.db)
    owner = await list_of(core, (NEWS, DIGEST))
    await service.add(owner, {"quiet": {"from": "20:00", "to": "08:00", "zone": "UTC"}})
    by_day = {"quiet": {"from": "08:00", "to": "20:00", "zone": "UTC"}}
    with pytest.raises(InvalidRequest) as refused:
        await service.add(Owner("mapping", mapping), by_day)
    assert refused.value.code == "rule_never"
    assert (await service.get(Owner("mapping", mapping))).rules == ()


async def test_rules_are_added_ordered_and_removed_and_each_change_is_a_revision(core: House) -> None:
    mapping = await core.mapping()
    service, owner = RuleService(core.db), Owner("mapping", mapping)
    await service.add(owner, {"name": "a", "deny": {"words": ["sale"]}}, actor=5)
    await service.add(owner, {"name": "c", "allow": {"kind": "text"}})
    await service.add(owner, {"name": "b", "deny": {"links": True}}, at=2)
    assert await labels(core, mapping) == ["a", "b", "c"]
    await service.order(owner, [3, 1, 2])
    await service.remove(owner, 2)
    assert await labels(core, mapping) == ["c", "b"]
    assert (await service.get(owner)).revision == await revision(core, mapping) == 6
    [entry] = await core.run("select actor, subject from audit_log where action = 'rule.add' and actor = 5")
    assert entry["subject"] == f"mapping:{mapping}"


async def test_what_is_wrong_changes_nothing(core: House) -> None:
    mapping = await core.mapping()
    service, owner = RuleService(core.db), Owner("mapping", mapping)
    await core.keep_rules(mapping, {"rules": [{"footer": "a"}]})
    for wrong, place in (({"footer": "b"}, "rules[2]"), ({"deny": {"regex": "("}}, "rules[2].deny.regex")):
        with pytest.raises(InvalidRequest) as refused:
            await service.add(owner, wrong)
        assert refused.value.fields["place"] == place
    for change in (
        service.remove(owner, 2),
        service.order(owner, [1, 1]),
        service.add(owner, {"cut": 99}, at=3),
    ):
        with pytest.raises(InvalidRequest):
            await change
    with pytest.raises(NotFound):
        await service.get(Owner("mapping", 999_999))
    with pytest.raises(NotFound):
        await service.add(Owner("list", 999_999), {"cut": 99})
    assert (len((await service.get(owner)).rules), await revision(core, mapping)) == (1, 1)


async def test_two_who_add_at_once_both_have_their_rule(core: House) -> None:
    mapping = await core.mapping()
    service, owner = RuleService(core.db), Owner("mapping", mapping)
    await asyncio.gather(
        *(service.add(owner, {"name": str(n), "deny": {"words": [str(n)]}}) for n in range(5))
    )
    assert sorted(await labels(core, mapping)) == ["0", "1", "2", "3", "4"]


async def test_a_list_gives_its_rules_to_its_mappings_and_their_own_count_more(core: House) -> None:
    inside, outside = await core.mapping(), await core.mapping(DIGEST, NEWS)
    service, owner = RuleService(core.db), await list_of(core, (NEWS, DIGEST))
    await service.add(owner, {"name": "of the list", "deny": {"words": ["x"]}})
    await service.add(Owner("mapping", inside), {"name": "own", "deny": {"words": ["y"]}})
    assert await labels(core, inside) == ["of the list", "own"]
    assert await labels(core, outside) == []
    assert (await revision(core, inside), await revision(core, outside)) == (3, 1)
    await core.run("""update lists set settings = '{"rules": [{"name": "of the list", "footer": "list"}]}'""")
    await core.keep_rules(inside, {"rules": [{"name": "own", "footer": "own"}]})
    [tried] = await Trial(core.db, inside).words("text")
    assert isinstance(tried.outcome, Passed)
    assert (tried.outcome.parts[0].text, tried.outcome.by) == ("text\n\nown", ("own",))
    await service.remove(owner, 1)
    assert await labels(core, inside) == ["own"]


async def test_a_rule_without_a_name_says_which_list_it_is_of(core: House) -> None:
    mapping = await core.mapping()
    first, second = await list_of(core, (NEWS, DIGEST)), await list_of(core, (NEWS, DIGEST))
    for owner, word in ((Owner("mapping", mapping), "own"), (second, "second"), (first, "first")):
        await RuleService(core.db).add(owner, {"deny": {"words": [word]}})
    assert await labels(core, mapping) == [f"{first} deny #1", f"{second} deny #1", "deny #1"]
    for word, rule in (("first", f"{first} deny #1"), ("second", f"{second} deny #1"), ("own", "deny #1")):
        [tried] = await Trial(core.db, mapping).words(word)
        assert tried.outcome == Refused(rule, (word,), "denied")
    assert [rule.label for rule in (await RuleService(core.db).get(first)).rules] == ["deny #1"]


def test_an_owner_is_a_mapping_or_a_list() -> None:
    assert [owner_of("7"), owner_of("list:2")] == [Owner("mapping", 7), Owner("list", 2)]
    for word in ("", "x", "list:", "folder:1", "-1", "99999999999999999999", "9" * 5000):
        with pytest.raises(InvalidRequest):
            owner_of(word)


async def test_stored_posts_are_tried_as_they_would_be_sent(core: House) -> None:
    mapping = await core.mapping()
    await core.run("update channels set username = 'News' where telegram_id = :chat", chat=NEWS)
    await core.run("update channels set username = 'digest' where telegram_id = :chat", chat=DIGEST)
    no_sale = {"name": "no sale", "deny": {"words": ["sale"]}}
    await core.keep_rules(mapping, {"rules": [no_sale, {"source_links": True}]})
    await core.hear(post(1, "first"), post(2, "Big SALE"), post(3, "see https://t.me/news/1"))
    await core.hear(*album("x", 4, 5))
    await core.run(
        "insert into copies (channel_id, message_id, mapping_id, source_id, source_message_id, mode, route)"
        " select d.id, 91, :mapping, s.id, 1, 'copy', 'user' from channels d, channels s"
        " where d.telegram_id = :there and s.telegram_id = :here",
        mapping=mapping, there=DIGEST, here=NEWS,
    )  # fmt: skip
    first, second, third, fourth = await Trial(core.db, mapping).last(20)
    assert isinstance(first.outcome, Passed)
    assert first.outcome.untouched
    assert second.outcome == Refused("no sale", ("SALE",), "denied")
    assert isinstance(third.outcome, Passed)
    assert third.outcome.parts[0].text == "see https://t.me/digest/91"
    assert len(fourth.parts) == 2
    assert [one.parts[0].message_id for one in await Trial(core.db, mapping).last(2)] == [3, 4]
    [again] = await Trial(core.db, mapping).post("https://t.me/digest/91")
    assert again.parts[0].message_id == 1
    assert await Trial(core.db, mapping).post("https://t.me/news/77") == []


async def test_the_command_line_adds_lists_tries_and_removes(
    core: House, module_database_url: str, redis_db: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", module_database_url)
    monkeypatch.setenv("REDIS_URL", redis_db)

    async def run(*arguments: str, typed: str = "") -> Result:
        return await asyncio.to_thread(CliRunner().invoke, cli, list(arguments), typed)

    mapping = str(await core.mapping())
    await core.hear(post(1, "Big SALE"), post(2, "Кот 😀"))
    added = await run("rule", "add", mapping, "deny", '{"words": ["sale"]}', "--name", "no sale")
    assert (added.exit_code, added.output.startswith(f"Rule 1 of mapping:{mapping}: no sale.")) == (0, True)
    added = await run("rule", "add", mapping, "header", "{source_title}:")
    assert (added.exit_code, (await run("rule", "remove", mapping, "2")).exit_code) == (0, 0)
    added = await run("rule", "add", mapping, "footer", "<b>{source_title}</b>")
    assert (added.exit_code, added.output.startswith(f"Rule 2 of mapping:{mapping}: footer #2.")) == (0, True)
    assert f"`manage.py rule try {mapping}`" in added.output
    assert '1\tno sale\tdeny\t{"words": ["sale"]}' in (await run("rule", "list", mapping)).output
    tried = (await run("rule", "try", mapping, "--last", "2")).output
    assert "1 text: refused by the rule “no sale” because of: SALE" in tried
    assert f"2 text: goes changed by: footer #2\n  - Кот 😀\n  + Кот 😀\n  + \n  + Chat {NEWS}" in tried
    assert (await run("rule", "order", mapping, "2", "1")).output.splitlines()[1].startswith("1\tfooter #1")
    kept = (await run("rule", "list", mapping, "--json")).output
    assert (await run("rule", "set", mapping, typed=kept)).output == f"2 rules of mapping:{mapping}.\n"
    assert (await run("rule", "remove", mapping, "1")).output == f"Removed; mapping:{mapping} has 1 rule.\n"
    refused = await run("rule", "remove", mapping, "9")
    assert (refused.exit_code, refused.stderr) == (1, "There is no rule 9; the set has 1.\n")
    refused = await run("rule", "add", mapping, "cut", "100", "--at", "9")
    assert (refused.exit_code, refused.stderr) == (1, "at: write a whole number from 1 to 2.\n")
    nothing = str(await core.mapping(OTHER))
    assert (
        "No post of its source is kept here yet" in (await run("rule", "try", nothing, "--last", "2")).stderr
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"by": AccountKind.BOT}, "  [Source] https://example.org/"),
        ({"mode": "forward"}, "  as a copy, because a forward cannot be changed"),
        (
            {"mode": "forward", "copy_fallback": False},
            "  but would fail: a forward cannot be changed, and the mapping allows no copy in its place",
        ),
        ({}, "  + below"),
    ],
)
async def test_trying_says_what_the_mappings_own_way_makes_of_it(
    core: House, values: dict[str, Any], said: str
) -> None:
    mapping = await core.mapping(**values)
    for rule in ({"footer": "below"}, {"button": {"text": "Source", "url": "https://example.org/"}}):
        await RuleService(core.db).add(Owner("mapping", mapping), rule)
    [tried] = await Trial(core.db, mapping).words("text")
    assert told(tried)[-1] == said


LINK = "https://example.org/"


@pytest.mark.parametrize(
    ("by", "rules", "heard", "said"),
    [
        (
            AccountKind.USER,
            [{"replace_links": {"with": LINK}}],
            post(1, "сюда 😀", entities=(Entity("text_link", 0, 4, url="https://a.example/"),)),
            ["changed by: replace_links #1", "- сюда → https://a.example/", f"+ сюда → {LINK}"],
        ),
        (AccountKind.USER, [{"spoiler": "all"}], photo(1, words="خبر"), [
            "changed by: spoiler #1", "its text under a spoiler", "its medium under a spoiler",
        ]),
        (AccountKind.USER, [{"preview": False}], post(1, LINK), [
            "changed by: preview #1", "without a link preview",
        ]),
        (AccountKind.USER, [{"preview": False}], post(1, "no link"), ["as it is"]),
        (AccountKind.USER, [{"button": {"text": "x", "url": LINK}}], post(1, "text"), ["as it is"]),
        (
            AccountKind.USER,
            [{"footer": "F"}, {"preview": False}, {"button": {"text": "x", "url": LINK}}],
            post(1, "text"),
            ["changed by: footer #1", "- text", "+ text", "+ ", "+ F"],
        ),
        (AccountKind.BOT, [{"button": {"text": "x", "url": LINK}}], post(1, "text"), [
            "changed by: button #1", f"[x] {LINK}",
        ]),
    ],
)  # fmt: skip
async def test_trying_shows_all_that_changes_and_names_no_rule_that_changes_nothing(
    core: House, by: AccountKind, rules: list[dict[str, Any]], heard: SourceMessage, said: list[str]
) -> None:
    mapping = await core.mapping(by=by)
    await core.keep_rules(mapping, {"rules": rules})
    await core.hear(heard)
    [tried] = await Trial(core.db, mapping).last(1)
    first, *rest = told(tried)
    assert [first.partition(": goes ")[2], *(line[2:] for line in rest)] == said


async def test_trying_dates_a_stored_post_by_the_rules_own_zone(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1, "x", date=datetime(2026, 11, 24, 22, 30, tzinfo=UTC)))
    shown = []
    for zone in ("Europe/Moscow", "UTC"):
        await core.keep_rules(mapping, {"rules": [{"footer": "{date}"}, {"zone": zone}]})
        [tried] = await Trial(core.db, mapping).last(1)
        shown.append(told(tried)[-1])
    assert shown == ["  + 25.11.2026", "  + 24.11.2026"]


async def test_trying_counts_what_was_sent_today_and_what_reviewers_said(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1, "a"), post(2, "b"))
    await core.keep_rules(mapping, {"rules": [{"at_most": {"a_day": 1, "rest": "withdraw"}}]})
    [_, tried] = await Trial(core.db, mapping).last(2)
    assert tried.goes == Now()
    await core.run(
        "update deliveries set state = 'sent', claimed_at = clock_timestamp(), done_at = clock_timestamp()"
        " where position = (select min(position) from deliveries)"
    )
    [_, tried] = await Trial(core.db, mapping).last(2)
    assert tried.goes == Withdraw("at_most")
    assert told(tried)[1] == "  but would be withdrawn: more than the day's number by the rule “at_most #1”"
    await core.keep_rules(mapping, {"rules": [{"review": {"hours": 24}}]})
    assert [type(one.goes) for one in await Trial(core.db, mapping).last(2)] == [Hold, Hold]
    async with core.db.begin() as session:
        waiting = list(await session.scalars(text("select id from deliveries where state = 'queued'")))
        await reviewing.begin(session, dict.fromkeys(waiting, 24))
        await reviewing.decide(session, waiting, approved=True, by=5)
    assert [type(one.goes) for one in await Trial(core.db, mapping).last(2)] == [Hold, Now]


async def test_trying_says_in_words_for_what_a_post_waits(core: House) -> None:
    mapping = await core.mapping()
    await core.keep_rules(mapping, {"rules": [{"name": "later", "delay": 5}]})
    [tried] = await Trial(core.db, mapping).words("text")
    assert told(tried)[1].startswith("  but not before ")
    assert told(tried)[1].endswith(" (the mapping's delay)")


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        ("forwarder.rules.conditions.AnyWord.holds", "no sale"),
        ("forwarder.rules.changes.CutAt.apply", "cut #2"),
        ("forwarder.services.judging.when", "delay #3"),
        ("forwarder.trial.rewrite_of", "cut #2"),
    ],
)
async def test_a_rule_that_breaks_is_the_verdict_of_that_post_alone(
    core: House, monkeypatch: pytest.MonkeyPatch, broken: str, rule: str
) -> None:
    mapping = await core.mapping()
    no_sale = {"name": "no sale", "deny": {"words": ["sale"]}}
    await core.keep_rules(mapping, {"rules": [no_sale, {"cut": 20}, {"delay": 5}]})
    await core.hear(post(1, "word " * 10), post(2, "word " * 11))
    room, _, name = broken.rpartition(".")
    whole = pkgutil.resolve_name(broken)
    calls = iter(range(9))

    def breaks_once(*values: Any, **named: Any) -> Any:
        return whole(*values, **named) if next(calls) else 1 // 0

    monkeypatch.setattr(pkgutil.resolve_name(room), name, breaks_once)
    first, second = await Trial(core.db, mapping).last(2)
    assert first.outcome == Refused(rule, (), "rule_failed")
    assert f"the rule “{rule}” broke on it" in told(first)[0]
    assert isinstance(second.outcome, Passed)


UNREADABLE = [{"name": "good", "cut": 100}, {"deny": {"regex": "("}}]


@pytest.mark.parametrize("of_list", [True, False])
async def test_rules_that_do_not_read_say_whose_they_are_and_can_be_seen_and_mended(
    core: House, of_list: bool
) -> None:
    mapping = await core.mapping()
    service, owner = RuleService(core.db), Owner("mapping", mapping)
    if of_list:
        owner = await list_of(core, (NEWS, DIGEST))
        await core.run(
            "update lists set settings = jsonb_build_object('rules', cast(:rules as jsonb))",
            rules=json.dumps(UNREADABLE),
        )
    else:
        await core.keep_rules(mapping, {"rules": UNREADABLE})
    for asked in (service.get(owner), Trial(core.db, mapping).words("x"), Trial(core.db, mapping).last(1)):
        with pytest.raises(InvalidRequest) as refused:
            await asked
        assert (refused.value.code, refused.value.fields["owner"]) == ("rules_unreadable", str(owner))
        assert f"The rules kept for {owner} do not read. rules[2].deny.regex: RE2 refuses" in str(
            refused.value
        )
        assert f"`manage.py rule set {owner}`" in str(refused.value)
    assert (await service.kept(owner)).written == {"rules": UNREADABLE}
    with pytest.raises(InvalidRequest, match=r"rules\[1\]\.deny\.regex"):
        await service.remove(owner, 1)
    assert [rule.label for rule in (await service.remove(owner, 2)).rules] == ["good"]
    await core.keep_rules(mapping, ["nonsense"])
    with pytest.raises(InvalidRequest, match=f"The rules kept for mapping:{mapping} do not read"):
        await service.add(Owner("mapping", mapping), {"cut": 99})
    await service.replace(Owner("mapping", mapping), {"rules": [{"name": "new", "cut": 99}]})
    assert (await labels(core, mapping))[-1] == "new"
