"""The program opens no connection: no module imports anything that could."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "surgiplan_desktop"
OPENERS = {"socket", "ssl", "http", "urllib", "urllib3", "requests", "ftplib", "smtplib", "xmlrpc", "pooch", "webbrowser"}


def imported_packages(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
            found |= {"QtNetwork"} & {alias.name for alias in node.names}
    return found


def test_no_module_can_open_a_connection() -> None:
    modules = sorted(PACKAGE.rglob("*.py"))
    assert len(modules) > 100
    guilty = {str(path): found for path in modules if (found := imported_packages(path) & (OPENERS | {"QtNetwork"}))}
    assert not guilty
