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

from pgw.cli.console import moment, show, timestamp
from pgw.cli.stored import chosen_names, opened, slices
from pgw.cli.survey import Outline, Survey, outline_table, series_of, size_of
from pgw.cli.words import MATCH, Choice, Syntax
from pgw.errors import PgwError, SettingError
from pgw.formats.text_writer import write_head
from pgw.model.group import Fragment, Group
from pgw.model.grouping import GroupingKey
from pgw.model.names import quoted
from pgw.settings import Settings
from pgw.store.base import Feed

JSON, GROUPS = "--json", "--groups"
SYNTAX = Syntax("inspect", "one group at most", 0, 1, switches=(JSON, GROUPS), values=(MATCH,))


def run(words: list[str], environ: Mapping[str, str]) -> int:
    """Run the command."""
    settings, rest = Settings.read_known(words, environ)
    given = SYNTAX.read(rest)
    as_json, listed = JSON in given.switches, GROUPS in given.switches
    if given.operands and (listed or given.values[MATCH]):
        raise SettingError("command line", given.operands[0], f"expected beside {GROUPS} or {MATCH}: it is one group")
    if given.operands:
        group = asyncio.run(_read_group(settings, given.operands[0]))
        show(_json(_whole(group)) if as_json else _text(group))
    elif listed:
        outlines = asyncio.run(_outlines(settings, given.choice()))
        show(_json([outline.as_json() for outline in outlines]) if as_json else _listing(outlines))
    else:
        show(asyncio.run(_summary(settings, given.choice(), as_json=as_json)))
    return 0


async def _summary(settings: Settings, choice: Choice, *, as_json: bool) -> str:
    survey = Survey()
    async with opened(settings) as store:
        feed = (await store.changes(Feed())).feed
        async for groups in slices(store, await chosen_names(store, choice)):
            survey.add(groups)
        server = await store.server()
    return _json(survey.as_json(feed, server)) if as_json else survey.text(feed, server, time.time())


async def _outlines(settings: Settings, choice: Choice) -> list[Outline]:
    async with opened(settings) as store:
        names = await chosen_names(store, choice)
        return [Outline.of(group) async for groups in slices(store, names) for group in groups]


async def _read_group(settings: Settings, name: str) -> Group:
    canonical = _canonical(name)
    async with opened(settings) as store:
        [group] = await store.groups([canonical])
    if group is None:
        raise PgwError(f"there is no group {canonical}")
    return group


def _canonical(name: str) -> str:
    """The name of a group as it is stored, given with labels in any order, with or without percent signs."""
    try:
        return GroupingKey.from_name(name.strip("/")).name
    except ValueError:
        raise PgwError(f"{name!r} is not a group: write it as job/some_job or job/some_job/label/value") from None


def _listing(outlines: list[Outline]) -> str:
    return outline_table(outlines, time.time()) if outlines else "no groups are stored"


def _text(group: Group) -> str:
    """One group with all that it holds; the families as they are scraped."""
    now = time.time()
    labels = ", ".join(f"{name}={quoted(value)}" for name, value in group.key.labels)
    failed = "" if group.last_push_successful else " FAILED: the last push was refused"
    outline = Outline.of(group)
    head = [
        f"group       {group.key.name}",
        f"labels      {labels}",
        f"pushed      {moment(group.pushed_at, now)}",
        f"failed      {moment(group.failed_at, now)}{failed}",
        f"holds       {outline.families} families, {outline.series} series, {outline.size} bytes",
    ]
    return "\n".join([*head, *map(_family_text, group.fragments)])


def _family_text(fragment: Fragment) -> str:
    lines = write_head(fragment.name, fragment.type, fragment.help).removesuffix("\n")
    return "\n" + "\n".join([lines, *_samples(fragment)])


def _whole(group: Group) -> dict[str, Any]:
    """One group with all that it holds, for programs."""
    families = [
        {
            "name": fragment.name,
            "type": fragment.type.name.lower(),
            "help": fragment.help,
            "pushed": timestamp(fragment.pushed_at),
            "unchecked": fragment.unchecked,
            "series": series_of(fragment),
            "bytes": size_of(fragment),
            "samples": _samples(fragment),
        }
        for fragment in group.fragments
    ]
    return {**Outline.of(group).as_json(), "families": families}


def _samples(fragment: Fragment) -> list[str]:
    return fragment.text.decode(errors="backslashreplace").removesuffix("\n").split("\n") if fragment.text else []


def _json(value: Any) -> str:  # noqa: ANN401  whatever JSON can hold
    return json.dumps(value, indent=2)
