"""How many samples a second in pushes of 1,000 samples each? The same series with other values, into one group.

Closed loop (wrk, 16 connections that are kept); rounds alternate.

    python bench/large_pushes.py [smoke|quick|full]
"""

from closed_loop import Load
from contest import CHECKED, UNCHECKED
from one_load import OneLoad, sizes
from question import Question

SAMPLES = 1_000
COMPARISON = OneLoad(
    Load(samples=SAMPLES),
    stored=0,
    wanted={CHECKED: 3, UNCHECKED: 1.3},
    unit="samples",
    each=SAMPLES,
    title="samples a second in pushes of 1,000",
)
QUESTION = Question(
    "large_pushes", "Samples a second in pushes of 1,000 samples, one group", sizes(UNCHECKED), COMPARISON.measure
)

if __name__ == "__main__":
    QUESTION.run()
