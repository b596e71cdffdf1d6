"""`gunicorn` alone, in this directory, serves pgw with the settings of the environment (PGW_REDIS_URL and so on)."""

import os

from pgw.server import configuration

globals().update(configuration(os.environ))
