"""POST /api/v1/admin/delete_groups: delete all groups that selectors select, where the admin API is on.

In: `match[]`, once or more; `older_than`, a duration; `dry_run`.
Out: `{"data":{"groups":[...],"count":7,"dry_run":false},"status":"success"}`: which groups are gone, and how many.
Never: deletes anything because of a parameter that it does not know: `older-than` is refused.
Follows: the parameters of /api/v1/admin/tsdb/delete_series of Prometheus.

The groups are sent as they go, so that no number of them fills the memory or makes a proxy think that nobody is there.
Should Redis go away in the middle, the answer still ends well, with `"status":"error"`, after what was done.
"""

from collections.abc import AsyncIterator, Callable

import falcon.asgi

from pgw.errors import BadParameter, StoreError
from pgw.formats.json_writer import labels_json, string_json
from pgw.gateway.gateway import Gateway
from pgw.gateway.removal import Removal, Step, read_selectors
from pgw.web.api import chained, options, succeed
from pgw.web.parameters import all_parameters, boolean, duration
from pgw.web.request import Request

MATCH, OLDER_THAN, DRY_RUN = "match[]", "older_than", "dry_run"


class DeleteGroups:
    """Deletion by selector."""

    def __init__(self, gateway: Gateway, count: Callable[[int], None]) -> None:
        self._gateway = gateway
        self._count = count

    async def on_post(self, request: Request, response: falcon.asgi.Response) -> None:
        """Delete, and tell what was deleted."""
        request.handler = "delete_groups"
        removal = await _read(request)
        steps = self._gateway.delete_groups(removal)
        first = await anext(steps, Step(0, ()))  # Redis is asked before the status is sent, so that it can still be 503
        succeed(response)
        response.stream = self._json(chained(first, steps), removal)

    on_put = on_post  # as in Prometheus

    async def on_options(self, request: Request, response: falcon.asgi.Response) -> None:
        """Answer as every path of the API does."""
        options(request, response)

    async def _json(self, steps: AsyncIterator[Step], removal: Removal) -> AsyncIterator[bytes]:
        count, ending = 0, b'"status":"success"'
        yield b'{"data":{"groups":[\n'
        try:
            async for step in steps:
                if not removal.dry_run:
                    self._count(len(step.removed))
                groups = b",".join(labels_json(key.labels) for key in step.removed)
                yield (b"," + groups if count and groups else groups) + b"\n"
                count += len(step.removed)
        except StoreError as error:
            ending = b'"status":"error","errorType":"unavailable","error":' + string_json(str(error))
        yield b'],"count":%d,"dry_run":%s},%s}' % (count, b"true" if removal.dry_run else b"false", ending)


async def _read(request: Request) -> Removal:
    parameters = await all_parameters(request)
    for name, values in parameters.items():
        if name not in (MATCH, OLDER_THAN, DRY_RUN):
            raise BadParameter(name, values[0], f"known here: there are {MATCH}, {OLDER_THAN} and {DRY_RUN}")
    if MATCH not in parameters:
        raise BadParameter(MATCH, "", 'there: give a selector, such as {job="ci"}')
    return Removal(read_selectors(parameters[MATCH]), duration(parameters, OLDER_THAN), boolean(parameters, DRY_RUN))
