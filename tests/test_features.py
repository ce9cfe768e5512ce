"""docs/features.md stays true: every row has a state, and what is not absent names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| ([A-Z]+\d+) \| (.+) \| (absent|thin|done) \| (.*) \|$")


def test_every_row_is_told_truly() -> None:
    lines = [
        line
        for line in (ROOT / "docs" / "features.md").read_text(encoding="utf-8").splitlines()
        if re.match(r"^\| [A-Z]+\d", line)
    ]
    rows = [ROW.match(line) for line in lines]
    assert len(rows) > 180
    assert all(rows)
    ids = [row[1] for row in rows if row]
    assert len(ids) == len(set(ids))
    for row in rows:
        assert row
        named = re.findall(r"tests/[\w/]+\.py", row[4])
        assert bool(named) == (row[3] != "absent"), row[1]
        assert all((ROOT / name).is_file() for name in named), row[1]
