"""`pgw inspect`: tell what is stored.

In: settings, selectors, at most one group.
Out: a summary, a line for each group, or one group decoded; for people, or as JSON.
Never: writes to Redis: a user that may only read will do, see docs/redis.md.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

from pgw.cli.console import expiry, moment, show, timestamp
from pgw.cli.outline import Outline, outline_table, size_of
from pgw.cli.stored import chosen_names, opened, slices
from pgw.cli.survey import Context, Survey
from pgw.cli.words import MATCH, Choice, Flag, Syntax, Words
from pgw.errors import PgwError, SettingError
from pgw.formats.text_writer import write_head
from pgw.model.group import Fragment, Group
from pgw.model.grouping import GroupingKey
from pgw.model.names import quoted
from pgw.settings import Settings
from pgw.store.base import Feed, Store

ABOUT = """\
Tells what is stored: how much there is in all, and the largest groups and families, the oldest pushes, the failed ones
and the earliest deadlines; with --list or --match a line for each group; or a GROUP with everything that it holds, as
it is scraped. What has expired is shown, and said to have, until a gateway removes it.
Only reads. Asks the Redis of --redis.url, or that of the gateway that runs on --storage.path.
Exits with 0; 1 if Redis cannot be asked or there is no such group, 2 for a bad flag.

    pgw inspect --redis.url=redis://redis.example:6379/0
    pgw inspect --match='{job="ci"}'
    pgw inspect job/backup/instance/db-1
    pgw inspect --list --json | jq -r '.[] | select(.last_push_successful | not).group'
"""
LIST = Flag("--list", "A line for each group, instead of the summary.")
SUMMARY = Flag("--summary", "The summary, as without any flag; with --match that of these groups.")
JSON = Flag("--json", "The same for programs.")
SYNTAX = Syntax("inspect", "[GROUP]", "one group at most", 0, 1, ABOUT, (LIST, SUMMARY, MATCH, JSON))


def run(words: list[str], environ: Mapping[str, str]) -> int:
    """Run the command."""
    settings, rest = Settings.read_known(words, environ)
    given = SYNTAX.read(rest)
    for flag in (LIST, SUMMARY, MATCH):
        if given.operands and given.has(flag):
            raise SettingError("command line", given.operands[0], f"expected beside {flag.name}: it is one group")
    if given.has(LIST) and given.has(SUMMARY):
        raise SettingError("command line", SUMMARY.name, f"expected beside {LIST.name}: it is one or the other")
    show(asyncio.run(_found(settings, given)))
    return 0


async def _found(settings: Settings, given: Words) -> str:
    choice, as_json = given.choice(), given.has(JSON)
    if given.operands:
        group, redis_bytes = await _read_group(settings, given.operands[0])
        return _json(_whole(group, redis_bytes)) if as_json else _text(group, redis_bytes)
    if not given.has(LIST) and (given.has(SUMMARY) or not given.has(MATCH)):
        return await _summary(settings, choice, as_json=as_json)
    outlines = await _outlines(settings, choice)
    if as_json:
        return _json([outline.as_json() for outline in outlines])
    if not outlines:
        return "no groups are stored" if not given.has(MATCH) else "no such groups are stored"
    return outline_table(outlines, time.time())


async def _summary(settings: Settings, choice: Choice, *, as_json: bool) -> str:
    survey = Survey()
    async with opened(settings) as store:
        feed = (await store.changes(Feed(), follows=False)).feed
        context = Context(feed, await store.server(), await _rest(store))
        async for groups in slices(store, await chosen_names(store, choice), "reading", stays=False):
            sizes = await store.sizes([group.key.name for group in groups]) if context.rest is not None else None
            survey.add(groups, sizes and sizes.groups)
    return _json(survey.as_json(context)) if as_json else survey.as_text(context, time.time())


async def _rest(store: Store) -> int | None:
    sizes = await store.sizes([])
    return sizes and sizes.rest


async def _outlines(settings: Settings, choice: Choice) -> list[Outline]:
    async with opened(settings) as store:
        names = await chosen_names(store, choice)
        return [Outline.of(group) async for groups in slices(store, names, "reading", stays=False) for group in groups]


async def _read_group(settings: Settings, name: str) -> tuple[Group, int | None]:
    """Read a group, and how many bytes Redis spends on it; None if we may not ask."""
    canonical = _canonical(name)
    async with opened(settings) as store:
        [group] = await store.groups([canonical])
        sizes = await store.sizes([canonical])
    if group is None:
        raise PgwError(f"there is no group {canonical} (pgw inspect --list shows those that there are)")
    return group, sizes.groups[0] if sizes else None


def _canonical(name: str) -> str:
    """The name of a group as it is stored, given with labels in any order, with or without percent signs."""
    try:
        return GroupingKey.from_name(name.strip("/")).name
    except ValueError:
        raise PgwError(f"{name!r} is not a group: write it as job/some_job or job/some_job/label/value") from None


def _text(group: Group, redis_bytes: int | None) -> str:
    """One group with all that it holds; the families as they are scraped."""
    now = time.time()
    labels = ", ".join(f"{name}={quoted(value)}" for name, value in group.key.labels)
    failed = "" if group.last_push_successful else " FAILED: the last push was refused"
    outline = Outline.of(group)
    spent = "" if redis_bytes is None else f" ({redis_bytes} in Redis)"
    expires = [f"expires     {expiry(group.deadline, now)}"] if group.deadline else []
    head = [
        f"group       {group.key.name}",
        f"labels      {labels}",
        f"pushed      {moment(group.pushed_at, now)}",
        f"failed      {moment(group.failed_at, now)}{failed}",
        *expires,
        f"holds       {outline.families} families, {outline.series} series, {outline.text_bytes} bytes{spent}",
    ]
    return "\n".join([*head, *map(_family_text, group.fragments)])


def _family_text(fragment: Fragment) -> str:
    lines = write_head(fragment.name, fragment.type, fragment.help).removesuffix("\n")
    return "\n" + "\n".join([lines, *_samples(fragment)])


def _whole(group: Group, redis_bytes: int | None) -> dict[str, Any]:
    """One group with all that it holds, for programs."""
    families = [
        {
            "name": fragment.name,
            "type": fragment.type.name.lower(),
            "help": fragment.help,
            "pushed": timestamp(fragment.pushed_at),
            "unchecked": fragment.unchecked,
            "series": fragment.lines,
            "bytes": size_of(fragment),
            "samples": _samples(fragment),
        }
        for fragment in group.fragments
    ]
    return {**Outline.of(group, redis_bytes).as_json(), "families": families}


def _samples(fragment: Fragment) -> list[str]:
    return fragment.text.decode(errors="backslashreplace").removesuffix("\n").split("\n") if fragment.text else []


def _json(value: Any) -> str:  # noqa: ANN401  whatever JSON can hold
    return json.dumps(value, indent=2)
