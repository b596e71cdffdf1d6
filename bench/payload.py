"""What the bench pushes: bodies of two families, as a small batch job would push them.

In: how many samples, and a number that all values depend on.
Out: a body in the text format.
"""

FRESH_BODY = """
local fresh = 0
local function body()
  local lines = {"# TYPE bench_fresh_total counter"}
  for i = 1, 10 do
    fresh = fresh + 1
    lines[i + 1] = string.format('bench_fresh_total{id="%x",method="get"} %d', fresh, i)
  end
  return table.concat(lines, "\\n") .. "\\n"
end
"""
"""For wrk: bodies of ten samples whose label values never come again."""


VARIANTS = 997
"""Bodies that take turns: the same series, other values. A prime, so that a group does not get the same one each time,
as each of 1,000 would of eight; and many, because Redis' Lua keeps texts for a while and has no work with one that
comes again."""


def body(samples: int = 10, variant: int = 0, mark: str = "") -> bytes:
    """A body: the variants are the same series with other values; a mark makes them other series."""
    half = samples // 2
    lines = ["# TYPE bench_requests_total counter"]
    lines += [f'bench_requests_total{{code="{mark}{200 + i}",method="get"}} {i * 37 + variant}' for i in range(half)]
    lines += ["# TYPE bench_latency_seconds gauge"]
    lines += [
        f'bench_latency_seconds{{code="{mark}{200 + i}",method="get"}} 0.{i % 10}{variant + 1}37'
        for i in range(samples - half)
    ]
    return ("\n".join(lines) + "\n").encode()


def labelled_body(samples: int, labels: int, variant: int, mark: str) -> bytes:
    """A body of one family whose series have so many labels; variants and marks as above."""
    others = "".join(f',label_{number}="some value {number}"' for number in range(labels - 1))
    lines = ["# TYPE bench_labelled_total counter"]
    lines += [f'bench_labelled_total{{id="{mark}{i}"{others}}} {i * 37 + variant}' for i in range(samples)]
    return ("\n".join(lines) + "\n").encode()


def histogram_body(samples: int, variant: int, mark: str) -> bytes:
    """A body of histograms of ten lines each; variants and marks as above."""
    lines = ["# TYPE bench_seconds histogram"]
    for i in range(samples // 10):
        labels = f'path="/{mark}{i}"'
        for number, bound in enumerate(("0.01", "0.05", "0.1", "0.5", "1", "5", "10", "+Inf")):
            lines.append(f'bench_seconds_bucket{{{labels},le="{bound}"}} {number * 10 + variant}')
        lines += [f"bench_seconds_sum{{{labels}}} {i}.{variant + 1}", f"bench_seconds_count{{{labels}}} {70 + variant}"]
    return ("\n".join(lines) + "\n").encode()


def unlabelled_body(samples: int, variant: int, mark: str) -> bytes:
    """A body of a family for each sample, without labels; variants and marks as above."""
    word = mark.replace("-", "_")
    return "".join(f"bench_{word}{i}_bytes {i * 37 + variant}\n" for i in range(samples)).encode()
