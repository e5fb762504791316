"""The table of docs/architecture.md that says who may import whom, made from tests/test_layers.py:
``python tools/room_table.py``.

Run it with the project's own Python (.venv), since the tests are imported.
"""

from __future__ import annotations

import ast
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- made by tools/room_table.py -->\n", "<!-- end -->\n"


def rooms() -> dict[str, tuple[set[str], set[str]]]:
    """`ROOMS` of the test: room -> (rooms that it may import, packages that it may never import)."""
    spec = spec_from_file_location("room_rules", ROOT / "tests" / "test_layers.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ROOMS


def purpose(room: str) -> str:
    """The first sentence of a room's own docstring; empty where it has none."""
    path = ROOT.joinpath(*room.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(source.read_text("utf-8"))) or ""
    first = re.split(r"(?<=[^.])[.:;](?:\s|$)", " ".join(docstring.split()), maxsplit=1)[0]
    return first.replace("|", "/")


def table() -> str:
    """The rooms in the order of the test, a row for each."""
    rows = ["| room | what it is | may import | never imports |", "|---|---|---|---|"]
    for room, (allowed, forbidden) in rooms().items():
        mays = ", ".join(sorted(allowed)) or "nothing"
        rows.append(f"| `{room}` | {purpose(room)} | {mays} | {', '.join(sorted(forbidden))} |")
    return "\n".join(rows) + "\n"


def page() -> str:
    """docs/architecture.md with the table of now."""
    head, rest = PAGE.read_text("utf-8").split(BEGIN)
    return head + BEGIN + "\n" + table() + "\n" + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    print(PAGE)
