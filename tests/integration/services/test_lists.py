"""Lists: made, filled, emptied and forgotten; their rules hold for the mappings that belong to them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from forwarder.cli.root import cli
from forwarder.errors import InvalidRequest, NotFound
from forwarder.message import Mode
from forwarder.services.kept_rules import rules_of
from forwarder.services.lists import ListService
from forwarder.services.rules import Owner, RuleService
from forwarder.settings import Settings
from tests.integration.services.house import House

SOURCE, DESTINATION = ("source",), ("destination",)
NO_SALE = {"name": "no sale", "deny": {"words": ["sale"]}}
NIGHT = {"quiet": {"from": "20:00", "to": "08:00", "zone": "UTC"}}
DAY = {"quiet": {"from": "08:00", "to": "20:00", "zone": "UTC"}}


async def pair(house: House, source: int = -1001, destination: int = -1002) -> tuple[int, int, int]:
    """A mapping, its source and its destination, by their numbers."""
    begins, ends = await house.source(source, f"S{source}"), await house.destination(destination, "Digest")
    return (await house.mappings.create(begins, ends, mode=Mode.COPY, start_after=0)).id, begins, ends


async def holding(house: House, mapping: int) -> list[str]:
    async with house.db.begin() as session:
        return [rule.label for rule in (await rules_of(session, [mapping]))[mapping].rules]


async def revision(house: House, mapping: int) -> int:
    return (await house.mappings.get(mapping)).revision


async def wait_for_quiet_hours(house: House, mapping: int, source: int) -> None:
    async with house.db.begin() as session:
        await session.execute(
            text(
                """
                with post as (insert into posts (channel_id, position, state) values (:source, 1, 'ready') returning id)
                insert into deliveries (mapping_id, post_id, kind, class, position, state, reason, not_before)
                select :mapping, id, 'post', 1, 1, 'queued', 'quiet', clock_timestamp() + interval '1 hour' from post
                """
            ),
            {"source": source, "mapping": mapping},
        )


async def waiting(house: House) -> list[tuple[object, ...]]:
    async with house.db.begin() as session:
        return [
            tuple(row) for row in await session.execute(text("select reason, not_before from deliveries"))
        ]


async def test_a_mapping_goes_by_the_rules_of_a_list_while_both_its_ends_are_in_it(house: House) -> None:
    lists, rules = ListService(house.db), RuleService(house.db)
    mapping, source, destination = await pair(house)
    papers = (await lists.add("papers", actor=5)).id
    await rules.add(Owner("list", papers), NO_SALE)
    await lists.put(papers, [source], SOURCE)
    assert (await holding(house, mapping), await revision(house, mapping)) == ([], 1)
    view = await lists.put(papers, [destination], DESTINATION)
    assert (view.mappings, view.missing, view.rules) == ((mapping,), (), 1)
    assert (await holding(house, mapping), await revision(house, mapping)) == (["no sale"], 2)
    await lists.put(papers, [destination], DESTINATION)
    assert await revision(house, mapping) == 2, "nothing has changed"
    assert (await lists.take(papers, [source])).mappings == ()
    assert (await holding(house, mapping), await revision(house, mapping)) == ([], 3)
    async with house.db.begin() as session:
        noted = await session.execute(text("select action from audit_log where subject = :l order by id"),
                                      {"l": f"list:{papers}"})  # fmt: skip
        assert [row.action for row in noted] == [
            "list.add", "rule.add", "list.put", "list.put", "list.put", "list.take",
        ]  # fmt: skip


async def test_a_mapping_that_is_made_later_belongs_to_the_list_too(house: House) -> None:
    lists = ListService(house.db)
    one, two = await house.source(-1001, "One"), await house.source(-1003, "Two")
    there = await house.destination(-1002, "Digest")
    papers = (await lists.add("papers")).id
    await lists.put(papers, [one, two], SOURCE)
    view = await lists.put(papers, [there], DESTINATION)
    assert [(a.id, b.id) for a, b in view.missing] == [(one, there), (two, there)]
    await RuleService(house.db).add(Owner("list", papers), NO_SALE)
    made = (await house.mappings.create(one, there, mode=Mode.COPY, start_after=0)).id
    view = await lists.get("PAPERS")
    assert (view.mappings, [a.id for a, _ in view.missing]) == ((made,), [two])
    assert await holding(house, made) == ["no sale"]


async def test_a_lists_revision_counts_the_changes_of_its_rules_alone(house: House) -> None:
    lists, rules = ListService(house.db), RuleService(house.db)
    mapping, source, destination = await pair(house)
    papers = (await lists.add("papers")).id
    owner = Owner("list", papers)
    assert (await rules.get(owner)).revision == 1
    await lists.put(papers, [source], SOURCE)
    await lists.put(papers, [destination], DESTINATION)
    await lists.rename(papers, "Morning papers")
    assert (await rules.get(owner)).revision == 1
    assert (await rules.add(owner, NO_SALE)).revision == 2
    with pytest.raises(InvalidRequest):
        await rules.add(owner, NO_SALE)
    await rules.add(Owner("mapping", mapping), {"cut": 100})
    assert ((await rules.get(owner)).revision, (await lists.get(str(papers))).revision) == (2, 2)
    assert await rules.lists_of(mapping) == ((papers, 2),)
    assert (await rules.remove(owner, 1)).revision == 3
    assert (await rules.lists_of(mapping), await revision(house, mapping)) == ((), 4)


async def test_a_forgotten_list_leaves_its_mappings_to_their_own_rules(house: House) -> None:
    lists, rules = ListService(house.db), RuleService(house.db)
    mapping, source, destination = await pair(house)
    papers = (await lists.add("papers")).id
    await lists.put(papers, [source], SOURCE)
    await lists.put(papers, [destination], DESTINATION)
    await rules.add(Owner("list", papers), NO_SALE)
    assert (await lists.remove(papers)).mappings == (mapping,)
    assert (await holding(house, mapping), await revision(house, mapping)) == ([], 3)
    with pytest.raises(NotFound):
        await lists.get("papers")
    with pytest.raises(NotFound):
        await lists.remove(papers)


async def test_what_waits_by_a_lists_rules_is_asked_about_again_when_its_mapping_leaves(house: House) -> None:
    lists = ListService(house.db)
    mapping, source, destination = await pair(house)
    papers = (await lists.add("papers")).id
    await lists.put(papers, [source], SOURCE)
    await lists.put(papers, [destination], DESTINATION)
    await RuleService(house.db).add(Owner("list", papers), NIGHT)
    await wait_for_quiet_hours(house, mapping, source)
    await lists.take(papers, [destination])
    assert await waiting(house) == [(None, None)]


async def test_a_mapping_whose_own_rules_leave_no_time_with_the_lists_does_not_come_in(house: House) -> None:
    lists, rules = ListService(house.db), RuleService(house.db)
    mapping, source, destination = await pair(house)
    papers = (await lists.add("papers")).id
    await rules.add(Owner("list", papers), NIGHT)
    await rules.add(Owner("mapping", mapping), DAY)
    await lists.put(papers, [source], SOURCE)
    with pytest.raises(InvalidRequest) as refused:
        await lists.put(papers, [destination], DESTINATION)
    assert refused.value.code == "rule_never"
    assert str(refused.value).startswith(f"mapping:{mapping}, quiet #1: ")
    assert (await lists.get("papers")).destinations == ()


async def test_rules_that_leave_a_disabled_mapping_no_time_are_refused_when_it_is_made_anew(
    house: House,
) -> None:
    lists, rules = ListService(house.db), RuleService(house.db)
    mapping, source, destination = await pair(house)
    papers = (await lists.add("papers")).id
    await rules.add(Owner("list", papers), NIGHT)
    await rules.add(Owner("mapping", mapping), DAY)
    await house.mappings.disable(mapping)
    await lists.put(papers, [source], SOURCE)
    assert len((await lists.put(papers, [destination], DESTINATION)).missing) == 1
    with pytest.raises(InvalidRequest) as refused:
        await house.mappings.create(source, destination, mode=Mode.COPY, start_after=0)
    assert refused.value.code == "rule_never"
    assert (await house.mappings.get(mapping)).state == "disabled"


@pytest.mark.parametrize("name", ["", "  ", "7", "list:7", "x" * 61, "a\x00b"])
async def test_a_name_that_cannot_be_one_is_refused(house: House, name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await ListService(house.db).add(name)
    assert refused.value.code == "bad_list_name"


async def test_a_name_is_one_lists_own_in_any_case(house: House) -> None:
    lists = ListService(house.db)
    papers, other = await lists.add(" Morning   papers "), await lists.add("other")
    assert papers.name == "Morning papers"
    for attempt in (lists.add("morning PAPERS"), lists.rename(other.id, "MORNING papers")):
        with pytest.raises(InvalidRequest) as refused:
            await attempt
        assert (refused.value.code, refused.value.fields["number"]) == ("list_name_taken", papers.id)
        assert "“Morning papers”" in str(refused.value)
    assert (await lists.rename(papers.id, "MORNING PAPERS")).name == "MORNING PAPERS"
    answers = await asyncio.gather(lists.add("twice"), lists.add("Twice"), return_exceptions=True)
    assert sorted(type(one).__name__ for one in answers) == ["InvalidRequest", "ListView"]


async def test_lists_of_two_folders_may_share_a_name_and_are_told_apart_by_number(house: House) -> None:
    async with house.db.begin() as session:
        for folder in ("a", "b"):
            await session.execute(
                text(
                    "with f as (insert into folders (name) values (:name) returning id)"
                    " insert into lists (folder_id, name) select id, 'papers' from f"
                ),
                {"name": folder},
            )
    lists = ListService(house.db)
    first, second = await lists.list()
    assert [(one.name, one.folder) for one in (first, second)] == [("papers", "a"), ("papers", "b")]
    with pytest.raises(InvalidRequest) as refused:
        await lists.get("papers")
    assert (refused.value.code, refused.value.fields["numbers"]) == (
        "list_ambiguous",
        f"{first.id}, {second.id}",
    )
    assert (await lists.get(f"list:{second.id}")).id == second.id


async def test_only_a_channel_of_that_side_can_be_put_in_and_only_one_that_is_in_taken_out(
    house: House,
) -> None:
    lists = ListService(house.db)
    _, source, destination = await pair(house)
    papers = (await lists.add("papers")).id
    for channel, sides, code in (
        (destination, SOURCE, "not_a_source"),
        (source, DESTINATION, "not_a_destination"),
        (99, SOURCE, "channel_not_found"),
    ):
        with pytest.raises(InvalidRequest) as refused:
            await lists.put(papers, [channel], sides)
        assert refused.value.code == code
    await lists.put(papers, [source], SOURCE)
    with pytest.raises(InvalidRequest) as refused:
        await lists.take(papers, [source], DESTINATION)
    assert refused.value.code == "not_in_list"
    assert [one.id for one in (await lists.get("papers")).sources] == [source]


@pytest.mark.parametrize("name", ["nothing", "\x00", "\udcff", "9" * 30, "9" * 5000])
async def test_a_list_that_nobody_can_have_made_is_not_found(house: House, name: str) -> None:
    with pytest.raises(NotFound) as refused:
        await ListService(house.db).get(name)
    assert refused.value.code == "list_not_found"


async def test_a_group_that_became_a_supergroup_stays_in_its_lists(house: House) -> None:
    lists = ListService(house.db)
    mapping, source, destination = await pair(house, -55)
    papers = (await lists.add("papers")).id
    await lists.put(papers, [source], SOURCE)
    await lists.put(papers, [destination], DESTINATION)
    await RuleService(house.db).add(Owner("list", papers), NO_SALE)
    assert await house.channels.migrated(-55, -100055) == (mapping,)
    assert await holding(house, mapping) == ["no sale"]
    assert [one.telegram_id for one in (await lists.get("papers")).sources] == [-100055]


async def test_mappings_of_a_known_supergroup_come_into_the_lists_of_the_group_that_becomes_it(
    house: House,
) -> None:
    """Nobody can be refused there: rules that together leave no time keep posts waiting until they are mended."""
    lists, rules = ListService(house.db), RuleService(house.db)
    mapping, known, destination = await pair(house, -100055)
    await rules.add(Owner("mapping", mapping), DAY)
    group = await house.source(-55, "Group")
    papers = (await lists.add("papers")).id
    await lists.put(papers, [group], SOURCE)
    await lists.put(papers, [destination], DESTINATION)
    await rules.add(Owner("list", papers), NIGHT)
    await wait_for_quiet_hours(house, mapping, known)
    assert (await revision(house, mapping), len(await holding(house, mapping))) == (2, 1)
    assert await house.channels.migrated(-55, -100055) == ()
    assert (await revision(house, mapping), len(await holding(house, mapping))) == (3, 2)
    assert await waiting(house) == [(None, None)]


async def test_a_mapping_that_moves_to_a_known_supergroup_comes_into_its_lists(house: House) -> None:
    lists = ListService(house.db)
    mapping, group, destination = await pair(house, -55)
    known = await house.source(-100055, "Supergroup")
    papers = (await lists.add("papers")).id
    await lists.put(papers, [known], SOURCE)
    await lists.put(papers, [destination], DESTINATION)
    await RuleService(house.db).add(Owner("list", papers), NIGHT)
    await wait_for_quiet_hours(house, mapping, group)
    assert await house.channels.migrated(-55, -100055) == (mapping,)
    assert (await revision(house, mapping), len(await holding(house, mapping))) == (2, 1)
    assert await waiting(house) == [(None, None)]


@pytest.mark.parametrize("ruled", [True, False])
async def test_what_waits_is_left_alone_by_a_move_that_changes_no_rules(house: House, ruled: bool) -> None:
    lists = ListService(house.db)
    mapping, source, destination = await pair(house, -55)
    papers = (await lists.add("papers")).id
    await lists.put(papers, [source], SOURCE)
    await lists.put(papers, [destination], DESTINATION)
    if ruled:
        await RuleService(house.db).add(Owner("list", papers), NIGHT)
    await wait_for_quiet_hours(house, mapping, source)
    before = await revision(house, mapping)
    assert await house.channels.migrated(-55, -100055) == (mapping,)
    assert await revision(house, mapping) == before + 1
    assert [reason for reason, _ in await waiting(house)] == ["quiet"]


async def test_a_channel_that_is_forgotten_on_a_side_leaves_the_lists_on_that_side(house: House) -> None:
    lists = ListService(house.db)
    mapping, source, destination = await pair(house)
    papers = (await lists.add("papers")).id
    await lists.put(papers, [source], SOURCE)
    await lists.put(papers, [destination], DESTINATION)
    await house.mappings.disable(mapping)
    await house.channels.remove(source, side="source")
    view = await lists.get("papers")
    assert ([one.id for one in view.sources], [one.id for one in view.destinations]) == ([], [destination])


async def test_the_command_line_makes_fills_shows_and_forgets_a_list(
    house: House, emptied_database_url: str, redis_db: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", emptied_database_url)
    monkeypatch.setenv("REDIS_URL", redis_db)

    async def run(*arguments: str, typed: str = "") -> Result:
        return await asyncio.to_thread(CliRunner().invoke, cli, list(arguments), typed)

    mapping, _, destination = await pair(house)
    other = await house.source(-1003, "Other")
    made = await run("list", "add", "papers")
    assert made.exit_code == 0, made.output
    number = made.stdout.removeprefix("List ").partition(":")[0]
    assert (await run("list", "put", "papers", "-1001", str(other), "--source")).exit_code == 0
    put = await run("list", "put", number, "-1002", "--destination")
    assert put.stdout == f"List {number}, papers: sources 2, destinations 1, mappings 1, rules 0.\n"
    assert f"Pairs without a mapping: 1; see `manage.py list show {number}`" in put.stderr
    assert (await run("rule", "add", f"list:{number}", "cut", "100")).exit_code == 0
    ruled = await run("rule", "list", f"list:{number}")
    assert f"Revision 2 of list:{number}." in ruled.stderr
    of_mapping = await run("rule", "list", str(mapping))
    assert f"Before these it goes by the rules of list:{number}, revision 2." in of_mapping.stderr
    make = f"`manage.py mapping add {other} {destination}`"
    shown = (await run("list", "show", "Papers")).stdout.splitlines()
    assert shown == [
        f"List {number}: papers",
        "  sources: Other (-1003), S-1001 (-1001)",
        "  destinations: Digest (-1002)",
        f"  mappings: {mapping}",
        f"  rules: 1, revision 2; see `manage.py rule list list:{number}`",
        f"  no mapping yet: Other (-1003) -> Digest (-1002); make it with {make}",
    ]
    assert (await run("list", "rename", number, "news")).stdout == f"List {number} is called “news” now.\n"
    assert f"{number}\tnews\t\t2\t1\t1\t1\t2" in (await run("list", "list")).stdout
    taken = await run("list", "take", "news", "-1001", "--source")
    assert taken.stdout.endswith("news: sources 1, destinations 1, mappings 0, rules 1.\n"), taken.output
    for arguments, said in (
        (("list", "show", "papers"), "There is no list “papers”. See `manage.py list list`.\n"),
        (("list", "add", "NEWS"), f"The list {number} is called “news” already; choose another name.\n"),
        (("list", "add", " "), "A list's name has 1 to 60 characters and is no number.\n"),
        (("list", "put", "news", "@nobody", "--source"),
         "There is no channel @nobody here. See the list of channels, or add it first.\n"),
    ):  # fmt: skip
        refused = await run(*arguments)
        assert (refused.exit_code, refused.stderr) == (1, said)
    assert (await run("list", "remove", "news", typed="n\n")).exit_code == 1
    assert (await run("list", "remove", "news", typed="y\n")).exit_code == 0
    assert "No lists here yet" in (await run("list", "list")).stderr
