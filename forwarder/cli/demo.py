"""``demo``: see it work, with no Telegram account."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import click

KILLABLE = ("worker", "user-worker", "ingest", "bot", "beat")


class Kill(click.ParamType[tuple[str, float]]):
    """``NAME@SECONDS``: a process, and when after the script's beginning it is killed."""

    name = "NAME@SECONDS"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        found = re.fullmatch(r"([a-z-]+)@(\d+(?:\.\d+)?)", str(value))
        if found is None or found[1] not in KILLABLE:
            self.fail(f"{value} is not one of {', '.join(KILLABLE)}, an @, and seconds.", param, ctx)
        return found[1], float(found[2])


@click.command()
@click.option("--once", is_flag=True, help="End with a verdict, within three minutes.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed is another script.")
@click.option("--posts", type=click.IntRange(1, 5000), default=300, show_default=True)
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the verdict here (JSON)."
)
@click.option("--logs", type=click.Path(file_okay=False, path_type=Path),
              help="Keep the processes' logs here [only after a bad verdict].")  # fmt: skip
@click.option("--kill", "kills", type=Kill(), multiple=True,
              help="Kill a process (kill -9) in the middle; may be given several times.")  # fmt: skip
def demo(
    once: bool,
    seed: int,
    posts: int,
    report: Path | None,
    logs: Path | None,
    kills: tuple[tuple[str, float], ...],
) -> int:
    """Everything at work against a local Telegram, and a verdict from that Telegram.

    Needs no settings and touches no real data: throwaway servers, or a database and a Redis number of its
    own on the servers that DATABASE_URL and REDIS_URL name.
    """
    from forwarder.demo.show import Wishes, perform

    return asyncio.run(perform(Wishes(once, seed, posts, report, logs, kills)))
