"""A program that pushes: to a group of its own and to one that all share, in turn, each time two families of one value.

Arguments: the URL of Redis, a name, how many times.  Out: nothing; it fails if a push does.
"""

import asyncio
import sys

from pushes import family, group, opened, write


async def main(url: str, name: str, times: int) -> None:
    async with opened(url) as store:
        for number in range(times):
            own = [family(each, value=str(number)) for each in ("a", "b")]
            shared = [family(each, value=f"{name}-{number}") for each in ("a", "b")]
            # Now and then other series, so that not every push takes the short way.
            series = str(number % 3)
            await asyncio.gather(
                store.push(write(group(job="own", worker=name), *own, series=series)),
                store.replace(write(group(job="shared", worker="all"), *shared, series=series)),
            )
            if number % 50 == 49:
                await store.delete(group(job="passing", worker="all"))
            else:
                await store.push(write(group(job="passing", worker="all"), *shared, series=series))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
