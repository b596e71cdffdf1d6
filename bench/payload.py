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
