"""Request paths, decoded and cleaned as Go does it."""

from __future__ import annotations

from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgw.web.paths import cleaned, unescape

# What path.Clean and net/http's cleanPath make of it; None: as it is, so no redirect.
CLEAN = [
    (b"/", None),
    (b"/metrics", None),
    (b"/metrics/", None),
    (b"/metrics/job/x", None),
    (b"/metrics/job/x/a/", None),
    (b"/.x", None),
    (b"/x.", None),
    (b"/..x", None),
    (b"/x../y", None),
    (b"/...", None),
    (b"/a.b/c..d", None),
    (b"/%2e%2e/x", None),
    (b"/a%2F%2Fb", None),
    (b"//", b"/"),
    (b"//metrics", b"/metrics"),
    (b"/metrics//job/x", b"/metrics/job/x"),
    (b"/metrics/job/x//", b"/metrics/job/x/"),
    (b"/metrics/job///x", b"/metrics/job/x"),
    (b"/./metrics", b"/metrics"),
    (b"/metrics/./job", b"/metrics/job"),
    (b"/metrics/../x", b"/x"),
    (b"/../x", b"/x"),
    (b"/../../x/", b"/x/"),
    (b"/a/b/../../c", b"/c"),
    (b"/a/b/../..//c/", b"/c/"),
    (b"/..", b"/"),
    (b"/.", b"/"),
    (b"/../", b"/"),
    (b"//evil.example/x", b"/evil.example/x"),
    (b"/\xff//x", b"/\xff/x"),
]


@pytest.mark.parametrize(("path", "clean"), CLEAN)
def test_a_path_is_cleaned_as_go_cleans_it(path: bytes, clean: bytes | None) -> None:
    assert cleaned(path) == clean


ENDS_IN_DOTS = [(b"/a/.", b"/a"), (b"/a/b/..", b"/a"), (b"/metrics/job/x/.", b"/metrics/job/x")]


@pytest.mark.parametrize(("path", "clean"), ENDS_IN_DOTS)
def test_a_path_that_ends_in_dots_is_cleaned_without_a_slash(path: bytes, clean: bytes) -> None:
    assert cleaned(path) == clean


SEGMENTS = st.lists(st.sampled_from([b"", b".", b"..", b"a", b"b.c", b"...", b"%2e"]), max_size=8)


@given(SEGMENTS)
def test_a_clean_path_is_clean(segments: list[bytes]) -> None:
    clean = cleaned(b"/" + b"/".join(segments))
    if clean is not None:
        assert clean.startswith(b"/")
        assert cleaned(clean) is None


@given(st.binary())
def test_what_was_escaped_is_unescaped(text: bytes) -> None:
    assert unescape(quote_from_bytes(text).encode()) == text
    assert unescape("".join(f"%{byte:02X}" for byte in text).encode()) == text


UNESCAPED = [
    (b"", b""),
    (b"/plain+plus", b"/plain+plus"),
    (b"/a%2Fb%2fc", b"/a/b/c"),
    (b"/%00%ff", b"/\x00\xff"),
    (b"/\xc3\xa9", b"/\xc3\xa9"),
    (b"/%25zz", b"/%zz"),
    (b"/%zz", None),
    (b"/%", None),
    (b"/%2", None),
    (b"/%2/", None),
    (b"/%%20", None),
    (b"/ok%20/%g0", None),
]


@pytest.mark.parametrize(("path", "expected"), UNESCAPED)
def test_a_path_is_unescaped_once_or_not_at_all(path: bytes, expected: bytes | None) -> None:
    assert unescape(path) == expected
