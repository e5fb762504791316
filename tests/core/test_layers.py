"""The arrows of the architecture: who may import whom, read from the source."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# package or top-level module -> what of the project it may import (besides itself), and the foreign packages it may never import
ARROWS = {
    "core": (set(), {"bpy", "mathutils", "torch", "timm"}),
    "infer": ({"core"}, {"bpy", "mathutils"}),
    "scene": ({"core"}, {"torch", "timm", "scipy", "cv2"}),
    "jobs": ({"core", "preferences"}, {"torch", "timm", "scipy", "cv2"}),
    "operators": ({"core", "scene", "jobs", "properties", "preferences", "thumbnails"}, {"torch", "timm"}),
    "batch": ({"core", "infer", "scene"}, {"torch", "timm"}),
    "commands": ({"core", "batch", "infer", "scene", "jobs", "_version", "data"}, {"torch", "timm"}),
    "cli": ({"core", "commands", "_version"}, {"torch", "timm", "bpy", "scipy", "cv2"}),
    "panels": ({"core", "jobs", "properties", "preferences", "thumbnails"}, {"torch", "timm", "scipy", "cv2"}),
}
HEAVY_AT_MODULE_LEVEL = {"scipy", "cv2", "PIL", "torch", "timm", "huggingface_hub", "av", "fast_simplification"}


def imports(path: Path):
    """(project parts, foreign packages, foreign packages imported at module level) of a source file."""
    parts, foreign, top = set(), set(), set()
    depth = len(path.relative_to(ROOT).parts) - 1
    tree = ast.parse(path.read_text("utf-8"))
    # Functions, and `if TYPE_CHECKING:`, which is false when the program runs.
    guarded = [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    functions = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    lazy = {id(n) for part in guarded + functions for n in ast.walk(part)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            if node.level == depth + 1:
                parts |= {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = {a.name.split(".")[0] for a in node.names} if isinstance(node, ast.Import) else {node.module.split(".")[0]}
            foreign |= names
            if id(node) not in lazy:
                top |= names
    return parts, foreign, top


def sources(part: str):
    return sorted((ROOT / part).rglob("*.py")) if (ROOT / part).is_dir() else [ROOT / f"{part}.py"]


@pytest.mark.parametrize("part", ARROWS)
def test_imports_follow_the_arrows(part):
    allowed, forbidden = ARROWS[part]
    wrong = []
    for path in sources(part):
        parts, foreign, _ = imports(path)
        wrong += [f"{path.relative_to(ROOT)} imports {x}" for x in sorted(parts - allowed - {part}) if x] + [
            f"{path.relative_to(ROOT)} imports {x}" for x in sorted(foreign & forbidden)]  # fmt: skip
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("part", ["core", "scene", "operators", "panels", "jobs", "batch", "commands", "cli"])
def test_heavy_libraries_are_imported_by_the_functions_that_use_them(part):
    wrong = [f"{p.relative_to(ROOT)}: {x}" for p in sources(part) for x in sorted(imports(p)[2] & HEAVY_AT_MODULE_LEVEL)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("part", ["core", "scene", "infer"])
def test_the_map_of_a_package_names_every_module(part):
    named = set(re.findall(r"\w+", ast.get_docstring(ast.parse((ROOT / part / "__init__.py").read_text("utf-8")))))
    assert not {path.stem for path in (ROOT / part).glob("*.py")} - named - {"__init__"}


def test_only_frames_flips_signs():
    """diag(1, -1, -1) and its spellings live in core/common/spaces.py alone."""
    spellings = ("[1, -1, -1]", "(1, -1, -1)", "[1.0, -1.0, -1.0]", "(1.0, -1.0, -1.0)")
    wrong = [str(p.relative_to(ROOT)) for part in ("core", "infer", "scene", "operators", "commands") for p in sources(part)
             if p.name != "frames.py" and any(s in p.read_text("utf-8") for s in spellings)]  # fmt: skip
    assert not wrong


def test_import_loads_nothing_heavy():
    code = (
        "import sys, sapiens2_avatar as s2; s2.Predictions; "
        "print(*sorted({m.split('.')[0] for m in sys.modules} & {'torch','timm','scipy','cv2','PIL','bpy','huggingface_hub'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""
