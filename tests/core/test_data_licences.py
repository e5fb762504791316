"""Every file in data/ has a row that says where it comes from and under which licence; no row is without its file."""

import re
import subprocess
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "data"


def test_every_file_of_data_has_a_row_with_a_licence():
    rows = dict(re.findall(r"^\| `([^`]+)` \|.*\| ([^|]+) \|$", (DATA / "LICENSES.md").read_text("utf-8"), re.MULTILINE))
    known = subprocess.run(["git", "ls-files", "."], cwd=DATA, capture_output=True, text=True, check=False)
    names = known.stdout.split() if known.returncode == 0 and known.stdout else [path.name for path in DATA.iterdir()]
    assert sorted(rows) == sorted({*names} - {"__init__.py", "LICENSES.md", "__pycache__"})
    assert all(re.match(r"(CC0-1\.0|GPL-\d\.0-or-later|Apache-2\.0|MIT|BSD-\d-Clause)\b", licence) for licence in rows.values())
