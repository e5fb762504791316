"""What the documents say of the code: made pages are up to date, links lead somewhere,
examples need the package's own face only."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("tests/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")


def tool(name: str):
    """A program of tools/ as a module."""
    spec = spec_from_file_location(f"tools_{name}", ROOT / "tools" / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_api_page_is_up_to_date():
    made = tool("api_page")
    assert made.PAGE.read_text("utf-8") == made.page(), "run python tools/api_page.py"


def test_the_table_of_rooms_is_up_to_date():
    made = tool("room_table")
    assert made.PAGE.read_text("utf-8") == made.page(), "run .venv/bin/python tools/room_table.py"


def test_every_public_name_is_there():
    import sapiens2_avatar as s2

    missing = [name for name in tool("api_page").table("") if name != "scene" and not hasattr(s2, name)]
    assert not missing and set(tool("api_page").table("")) <= set(dir(s2))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    wrong = []
    for link in LINK.findall(page.read_text("utf-8")):
        path, _, anchor = link.partition("#")
        if ":" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_examples_import_the_package_alone(page):
    """Inner modules may move; `import sapiens2_avatar as s2` is what is promised."""
    examples = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    wrong = [line for text in examples for line in text.splitlines() if re.match(r"\s*(from|import) sapiens2_avatar\.", line)]
    assert not wrong
