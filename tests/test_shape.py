"""The shape of the code: how long modules and functions are, and that each module says what it is for."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pgw"
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted(PACKAGE.rglob("*.lua"))

MODULE_LINES = 400
FUNCTION_LINES = 60


def named(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=[str(path.relative_to(PACKAGE)) for path in paths])


@named(MODULES)
def test_a_module_has_at_most_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MODULE_LINES


@named(MODULES)
def test_a_function_has_at_most_60_lines(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < FUNCTION_LINES, node.name


@named(MODULES)
def test_a_module_opens_with_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


@named(SCRIPTS)
def test_a_script_opens_with_what_it_is_for(path: Path) -> None:
    first, second, *_ = path.read_text().splitlines()
    assert first.startswith("-- ")
    assert second.startswith("--")


@named(MODULES)
def test_no_pattern_has_a_possessive_group(path: Path) -> None:
    """Python 3.11.2, that of Debian 12, lets them match too much; of single characters they are in order."""
    texts = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
    assert not [text for text in texts if isinstance(text, str) and re.search(r"\(.+\)[*+?]\+", text)]


def test_there_are_modules_and_scripts_to_look_at() -> None:
    assert len(MODULES) > 20
    assert SCRIPTS
