"""`python -m pgw` is the `pgw` command."""

import sys

INTERRUPTED = 130
"""What shells make of Ctrl-C."""


def main() -> int:
    """Run the command line of this process; Ctrl-C during the import of its parts is no surprise either."""
    try:
        from pgw import cli  # noqa: PLC0415  see above

        return cli.main()
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
