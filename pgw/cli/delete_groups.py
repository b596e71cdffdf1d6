"""`pgw delete`: delete groups by selector, all of them or those that nobody has pushed to for a while.

In: settings, selectors, an age.
Out: how many are gone, and of a rehearsal which would be; for people, or as JSON.
Never: deletes without a selector that demands something; holds up pushes and scrapes: others are served between steps.
Follows: POST /api/v1/admin/delete_groups (pgw/web/delete_groups.py), which does the same over HTTP.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping

from pgw.cli.console import complain, counted, show
from pgw.cli.progress import Progress
from pgw.cli.stored import opened
from pgw.cli.words import MATCH, Flag, Syntax
from pgw.errors import SettingError, StoreError
from pgw.gateway.removal import Removal, read_selectors, remove_groups
from pgw.settings import Settings

ABOUT = """\
Deletes the groups whose labels a selector selects, each as a whole. With --older-than it spares those that were pushed
to since, also while it runs. A selector that would select everything is refused: /api/v1/admin/wipe is for that.
Works on the Redis of --redis.url, or that of the gateway that runs on --storage.path; every replica shows it at once.
Give the --push.ttl-linger of the gateways here too, if they have one. May be repeated.
Exits with 0 when it is done, also if there was nothing to delete, 1 if Redis cannot be asked, 2 for a bad flag.

    pgw delete --match='{job="ci",instance=~"runner-.*"}' --older-than=24h --dry-run
    pgw delete --match='{job="old"}' --redis.url=redis://redis.example:6379/0
"""
OLDER_THAN = Flag(
    "--older-than",
    "Only groups whose last push that succeeded is longer ago, by the clock of Redis at the moment of deletion; one "
    "that none ever succeeded for is as old as its last failure.",
    "DURATION",
)
DRY_RUN = Flag("--dry-run", "Delete nothing; list the groups that would be deleted.")
JSON = Flag("--json", "For programs: which groups were deleted, or would be, and how many.")
SYNTAX = Syntax("delete", "", "flags only", 0, 0, ABOUT, (MATCH, OLDER_THAN, DRY_RUN, JSON))


def run(words: list[str], environ: Mapping[str, str]) -> int:
    """Run the command."""
    settings, rest = Settings.read_known(words, environ)
    given = SYNTAX.read(rest)
    if not given.has(MATCH):
        raise SettingError("command line", SYNTAX.command, f"complete: it takes {MATCH.usage}")
    removal = Removal(read_selectors(given.values[MATCH.name]), given.duration(OLDER_THAN), given.has(DRY_RUN))
    groups = asyncio.run(_remove(settings, removal))
    if given.has(JSON):
        show(json.dumps({"groups": groups, "count": len(groups), "dry_run": removal.dry_run}, indent=2))
    else:
        show(_text(groups, removal))
    return 0


async def _remove(settings: Settings, removal: Removal) -> list[str]:
    """Remove the groups; returns their names."""
    removed: list[str] = []
    async with opened(settings) as store:
        names = await store.names()
        try:
            with Progress("looking" if removal.dry_run else "deleting", len(names), stays=False) as progress:
                async for step in remove_groups(store, names, removal):
                    removed += (key.name for key in step.removed)
                    progress.add(step.seen - progress.done)
        except StoreError:
            if removed and not removal.dry_run:
                complain(f"{counted(len(removed), 'group')} deleted until then")
            raise
    return removed


def _text(groups: Iterable[str], removal: Removal) -> str:
    names = list(groups)
    count = counted(len(names), "group")
    return "\n".join([*names, f"{count} would be deleted"]) if removal.dry_run else f"{count} deleted"
