"""The file of --web.config.file: TLS, passwords, HTTP headers and a rate limit. See values.py for what it can say."""

from pgw.web_config.file import CHECK_SECONDS, ConfigFile, signature
from pgw.web_config.reader import read_web_config
from pgw.web_config.values import Pem, RateLimit, Tls, WebConfig

__all__ = ["CHECK_SECONDS", "ConfigFile", "Pem", "RateLimit", "Tls", "WebConfig", "read_web_config", "signature"]
