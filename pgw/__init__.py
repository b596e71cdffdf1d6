"""pgw: a Prometheus push gateway, any number of stateless replicas on one Redis."""

__version__ = "0.1.0"
