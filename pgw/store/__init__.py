"""Groups in Redis, atomically; the only room that knows Redis and msgpack."""
