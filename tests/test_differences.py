"""The deliberate differences from the original: docs/differences.md has a row for each, and here is what stands for it.

In: the document, the notes in the code, the recorded cases that are answered otherwise.
Out: a failure if one of them knows a difference that the others do not.
Never: judges whether a difference is right; the tests that are named in the rooms do.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENT = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
ROWS = re.findall(r'^\| <a id="([a-z0-9-]+)"></a>', DOCUMENT, re.MULTILINE)

NOTES: dict[str, tuple[str, ...]] = {
    "formats/compounds.py": ("mixed-counts",),
    "formats/escaping.py": ("escaped-labels",),
    "formats/grammar.py": ("help-not-utf8", "braces-without-a-name"),
    "formats/json_writer.py": ("gauge-histograms",),
    "formats/native.py": ("native-histograms",),
    "formats/negotiation.py": ("unwanted-formats",),
    "formats/protobuf_reader.py": ("broken-protobuf",),
    "formats/protobuf_writer.py": ("blanks",),
    "formats/text_reader.py": ("line-ends", "type-words"),
    "gateway/push_times.py": ("push-times",),
    "model/consistency.py": ("unreadable-unchecked", "le-in-the-key", "own-metrics"),
    "model/grouping.py": ("grouping-value-not-utf8", "reserved-name"),
    "server/application.py": ("systemd",),
    "server/tls.py": ("web-config-later",),
    "settings/kinds.py": ("vsock", "telemetry-path"),
    "settings/settings.py": ("flags", "kept-groups"),
    "telemetry/shared.py": ("quantiles",),
    "view/contest.py": ("clashes",),
    "view/heads.py": ("helps",),
    "web/access.py": ("web-config-reading", "password-checks"),
    "web/api.py": ("group-order",),
    "web/health.py": ("ready",),
    "web/lifecycle.py": ("quit-prefix",),
    "web/lifetime.py": ("lifetimes",),
    "web/page/files.py": ("static",),
    "web/page/home.py": ("status-page",),
    "web/page/origin.py": ("page-deletes",),
    "web/push.py": ("delete",),
    "web/resource.py": ("head",),
    "web_config/reader.py": ("web-config-strict",),
    "web_config/values.py": ("http2", "request-client-cert"),
}
"""What each `NOTE(pushgateway)` of a module is about, in their order."""

CASES: dict[str, str] = {
    "base64 value not utf-8": "grouping-value-not-utf8",
    "text: CRLF": "line-ends",
    "text: CR blank line": "line-ends",
    "text: HELP no newline": "line-ends",
    "own late metric conflicting in the very first push is accepted and breaks the scrape": "own-metrics",
    "own summary suffix collision": "go-names",
    "user push_failure_time_seconds on existing group is KEPT": "push-times",
    "...untyped it blocks every other group and breaks the scrape": "push-times",
    "pb: name missing is accepted and truncates every scrape": "broken-protobuf",
    "utf8 path: escaped reserved poisons scrape": "reserved-name",
    "unchecked: inconsistent push breaks scrape": "clashes",
}
"""The recorded cases that are answered otherwise (DIFFERENT in conformance/test_recorded_cases.py)."""


def noted() -> dict[str, int]:
    """How many notes each module of the code has."""
    texts = {path.relative_to(ROOT / "pgw"): path.read_text(encoding="utf-8") for path in (ROOT / "pgw").rglob("*.py")}
    return {path.as_posix(): count for path, text in texts.items() if (count := text.count("NOTE(pushgateway)"))}


def answered_otherwise() -> set[str]:
    """The names of the cases in the table DIFFERENT, but for those that it makes in a loop."""
    tree = ast.parse((ROOT / "tests" / "conformance" / "test_recorded_cases.py").read_text(encoding="utf-8"))
    [table] = [
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "DIFFERENT"
    ]
    assert isinstance(table, ast.Dict)
    return {str(key.value) for key in table.keys if isinstance(key, ast.Constant)}


def test_each_row_of_the_document_has_a_name_of_its_own() -> None:
    assert len(ROWS) > 50
    assert len(set(ROWS)) == len(ROWS)


def test_every_note_in_the_code_has_a_row_in_the_document() -> None:
    assert {module: len(rows) for module, rows in NOTES.items()} == noted()
    assert {row for rows in NOTES.values() for row in rows} <= set(ROWS)


def test_every_recorded_case_that_is_answered_otherwise_has_a_row_in_the_document() -> None:
    assert set(CASES) == answered_otherwise()
    assert set(CASES.values()) <= set(ROWS)
