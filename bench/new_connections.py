"""How many pushes of 10 samples a second, if each comes over a connection of its own, as those of batch jobs do?

Closed loop (wrk with `Connection: close`), one group stored; rounds alternate.

    python bench/new_connections.py [smoke|quick|full]
"""

from closed_loop import Load
from contest import BARE, CHECKED
from one_load import OneLoad, sizes
from question import Question

COMPARISON = OneLoad(
    Load(new_connections=True),
    stored=1,
    wanted={CHECKED: 2.5},
    unit="pushes",
    each=1,
    title="pushes a second, a new connection each",
)
QUESTION = Question(
    "new_connections", "Pushes of 10 samples a second, a new connection each", sizes(BARE), COMPARISON.measure
)

if __name__ == "__main__":
    QUESTION.run()
