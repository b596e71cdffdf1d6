"""What is chosen of what a client accepts, and what its Content-Type means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgw.formats.escaping import Scheme
from pgw.formats.negotiation import Format, Kind, choose_encoding, choose_format, is_protobuf

PROTO = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily"
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3 = (
    f"{PROTO};encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("accept", "kind", "escaping"),
    [
        (None, Kind.TEXT, Scheme.UNDERSCORES),
        ("", Kind.TEXT, Scheme.UNDERSCORES),
        ("*/*", Kind.TEXT, Scheme.UNDERSCORES),
        ("text/html", Kind.TEXT, Scheme.UNDERSCORES),
        ("nonsense;;,/;q=,;", Kind.TEXT, Scheme.UNDERSCORES),
        ("text/plain;version=0.0.4;escaping=allow-utf-8", Kind.TEXT, Scheme.ALLOW_UTF8),
        ("text/plain; version=0.0.4; escaping=values", Kind.TEXT, Scheme.VALUES),
        ("text/plain;escaping=dots", Kind.TEXT, Scheme.DOTS),
        ("text/plain;escaping=other", Kind.TEXT, Scheme.UNDERSCORES),
        ("text/plain;version=1.0.0;escaping=values,text/plain", Kind.TEXT, Scheme.VALUES),
        (f"{PROTO};encoding=delimited", Kind.DELIMITED, Scheme.UNDERSCORES),
        (f"{PROTO};encoding=delimited;escaping=values", Kind.DELIMITED, Scheme.VALUES),
        (f"{PROTO};encoding=text", Kind.PROTO_TEXT, Scheme.UNDERSCORES),
        (f"{PROTO};encoding=compact-text", Kind.COMPACT_TEXT, Scheme.UNDERSCORES),
        (f"{PROTO};encoding=json", Kind.TEXT, Scheme.UNDERSCORES),
        (PROTO, Kind.TEXT, Scheme.UNDERSCORES),
        ("application/vnd.google.protobuf;proto=x;encoding=delimited", Kind.TEXT, Scheme.UNDERSCORES),
        (f"text/plain,{PROTO};encoding=delimited", Kind.TEXT, Scheme.UNDERSCORES),
        (f"text/plain;q=0.5,{PROTO};encoding=delimited;q=0.6", Kind.DELIMITED, Scheme.UNDERSCORES),
        (f"text/plain;q=0.6,{PROTO};encoding=delimited;q=0.5", Kind.TEXT, Scheme.UNDERSCORES),
        (f"{PROTO};encoding=delimited;q=0", Kind.TEXT, Scheme.UNDERSCORES),
        (f"{PROTO};encoding=text;q=0.1,{PROTO};encoding=compact-text;q=0.2", Kind.COMPACT_TEXT, Scheme.UNDERSCORES),
        (PROMETHEUS_2, Kind.TEXT, Scheme.UNDERSCORES),
        (PROMETHEUS_3, Kind.DELIMITED, Scheme.UNDERSCORES),
        (PROMETHEUS_3.partition(",")[2], Kind.TEXT, Scheme.ALLOW_UTF8),
    ],
)
def test_a_scrape_is_written_as_its_accept_header_likes_it_best(
    accept: str | None, kind: Kind, escaping: Scheme
) -> None:
    assert choose_format(accept) == Format(kind, escaping)


def test_a_content_type_tells_the_format_and_the_escaping() -> None:
    assert Format(Kind.TEXT, Scheme.UNDERSCORES).content_type == (
        "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
    )
    assert Format(Kind.COMPACT_TEXT, Scheme.ALLOW_UTF8).content_type == (
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=compact-text; "
        "escaping=allow-utf-8"
    )


@given(st.text())
def test_any_accept_header_gets_an_answer(accept: str) -> None:
    assert choose_format(accept).kind in Kind


@pytest.mark.parametrize(
    "content_type",
    [
        f"{PROTO};encoding=delimited",
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
        "application/vnd.google.protobuf; encoding=delimited; proto=io.prometheus.client.MetricFamily",
        "APPLICATION/Vnd.Google.Protobuf; Encoding=delimited; PROTO=io.prometheus.client.MetricFamily",
        f"{PROTO}; encoding=delimited; escaping=allow-utf-8",
        f'{PROTO}; encoding="delimited"',
        f'{PROTO}; encoding="de\\limited"',
        f"  {PROTO} ; encoding = delimited ; ",
        f"{PROTO}; encoding=delimited;",
    ],
)
def test_a_body_is_protobuf_by_its_type_and_two_parameters(content_type: str) -> None:
    assert is_protobuf(content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/json",
        "application/vnd.google.protobuf",
        PROTO,
        f"{PROTO}; encoding=Delimited",
        f"{PROTO}; encoding=text",
        f"{PROTO}; encoding=delimited; encoding=delimited",
        f"{PROTO}; encoding=delimited; nonsense",
        f"{PROTO}; encoding=delimited;;",
        f'{PROTO}; encoding="delimited',
        "application/vnd.google.protobuf; proto=other; encoding=delimited",
        "application/x-protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
        f"x {PROTO}; encoding=delimited",
    ],
)
def test_every_other_body_is_text(content_type: str | None) -> None:
    assert not is_protobuf(content_type)


@given(st.text())
def test_any_content_type_means_something(content_type: str) -> None:
    assert is_protobuf(content_type) in (True, False)


@pytest.mark.parametrize(
    ("accept_encoding", "encoding"),
    [
        (None, "identity"),
        ("gzip", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("gzip;q=0", "identity"),
        ("*", "identity"),
        ("identity;q=0.5, gzip;q=0.6", "gzip"),
        ("identity;q=0.6, gzip;q=0.5", "identity"),
        ("zstd", "identity"),
    ],
)
def test_an_encoding_is_chosen_by_its_quality(accept_encoding: str | None, encoding: str) -> None:
    assert choose_encoding(accept_encoding) == encoding
