"""`python -m pgw` is the `pgw` command."""

import sys

from pgw.cli import main

sys.exit(main())
