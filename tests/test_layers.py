"""Who may import whom, read from the source: room by room, with every module of the product in one of them."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMMON = "core.common"
ARRAYS_ONLY = {"bpy", "mathutils", "torch"}

# room or module -> (rooms that it may import, foreign packages that it may never import); a room imports itself freely
ROOMS = {
    # the product: arrays in, arrays out
    "core.common": (set(), ARRAYS_ONLY | {"scipy", "cv2"}),
    "core.capture": ({COMMON}, ARRAYS_ONLY),
    "core.landmarks": ({COMMON, "core.capture"}, ARRAYS_ONLY),
    "core.surface": ({COMMON, "core.capture"}, ARRAYS_ONLY),
    "core.texture": ({COMMON, "core.surface"}, ARRAYS_ONLY),
    "core.pose": ({COMMON, "core.capture"}, ARRAYS_ONLY),
    "core.rig": ({COMMON, "core.pose"}, ARRAYS_ONLY),
    "core.body": ({COMMON, "core.capture", "core.landmarks", "core.texture", "core.pose", "core.rig"}, ARRAYS_ONLY),
    "core.garments": ({COMMON, "core.capture", "core.surface", "core.texture", "core.rig", "core.body"}, ARRAYS_ONLY),
    "core.builtin": ({COMMON, "core.capture", "core.landmarks", "core.surface", "core.texture", "core.pose", "core.body"},
                     ARRAYS_ONLY),
    "core.retarget": ({COMMON, "core.pose"}, ARRAYS_ONLY),
    "core.motion": ({COMMON, "core.capture", "core.pose", "core.retarget"}, ARRAYS_ONLY),
    "core.formats": ({COMMON, "core.capture", "core.pose", "core.retarget", "core.motion"}, ARRAYS_ONLY),
    "core.settings": ({COMMON, "core.surface", "core.texture", "core.pose", "core.rig"}, ARRAYS_ONLY | {"numpy"}),
    "core.stages": ({COMMON, "core.settings", "core.pose", "core.body"}, ARRAYS_ONLY),
    "core.whole_person": ({COMMON, "core.stages", "core.capture", "core.body", "core.garments"}, ARRAYS_ONLY),
    "core.closed_scan": ({COMMON, "core.surface", "core.texture", "core.rig", "core.body", "core.garments"}, ARRAYS_ONLY),
    "core.one_mesh": ({COMMON, "core.texture"}, ARRAYS_ONLY),
    "core.avatar": ({COMMON, "core.settings", "core.stages", "core.whole_person", "core.one_mesh", "core.closed_scan",
                     "core.capture", "core.landmarks", "core.surface", "core.texture", "core.pose", "core.rig", "core.body"},
                    ARRAYS_ONLY),
    "core.mesh_texture": ({COMMON, "core.stages", "core.capture", "core.texture", "core.pose", "core.body", "core.garments"},
                          ARRAYS_ONLY),
    # the network, its weights, its Python, and the process that runs it
    "weights": ({COMMON}, ARRAYS_ONLY | {"scipy", "cv2"}),
    "runtime": ({COMMON}, ARRAYS_ONLY | {"scipy", "cv2"}),
    "infer.settings": ({COMMON}, ARRAYS_ONLY | {"numpy"}),
    "infer": ({"core", "weights", "infer.settings"}, {"bpy", "mathutils"}),
    "worker": ({"core", "infer", "weights"}, {"bpy", "mathutils", "torch"}),
    # Blender
    "scene": ({"core"}, {"torch", "scipy", "cv2"}),
    "preference_values": ({COMMON, "infer.settings"}, {"torch", "scipy", "cv2"}),
    "folders": ({COMMON, "preference_values"}, {"torch", "scipy", "cv2"}),
    "jobs": ({COMMON, "core.formats", "weights", "runtime", "worker", "preference_values", "folders"},
             {"torch", "scipy", "cv2"}),
    "preferences": ({COMMON, "weights", "preference_values", "jobs", "panels"}, {"torch", "scipy", "cv2"}),
    "bone_table_rows": ({"core", "scene"}, {"torch", "scipy", "cv2"}),
    "setting_properties": ({COMMON}, {"torch", "scipy", "cv2"}),
    "shape_properties": ({"core", "scene"}, {"torch", "scipy", "cv2"}),
    "avatar_queries": ({COMMON, "scene"}, {"torch", "scipy", "cv2"}),
    "step_properties": ({"core", "setting_properties"}, {"torch", "scipy", "cv2"}),
    "properties": (
        {"core", "scene", "avatar_queries", "setting_properties", "shape_properties", "step_properties", "bone_table_rows",
         "infer.settings"},
        {"torch", "scipy", "cv2"},
    ),
    "gizmos": ({"core", "scene", "avatar_queries"}, {"torch", "scipy", "cv2"}),
    "thumbnails": ({"core", "folders"}, {"torch", "scipy", "cv2"}),
    "operators": (
        {"core", "scene", "weights", "runtime", "worker", "jobs", "folders", "preference_values", "bone_table_rows",
         "properties", "avatar_queries", "setting_properties", "step_properties", "thumbnails", "gizmos",
         "infer.settings"},
        {"torch"},
    ),
    "panels": (
        {"core", "weights", "jobs", "preference_values", "properties", "avatar_queries", "setting_properties",
         "shape_properties", "thumbnails"},
        {"torch", "scipy", "cv2"},
    ),
    "manual": (set(), ARRAYS_ONLY),
    "registration": (
        {"core", "jobs", "panels", "preferences", "properties", "thumbnails", "gizmos", "manual", "operators",
         "commands"},
        {"torch", "scipy", "cv2"},
    ),
    # without a window
    "batch": ({"core", "infer", "weights", "scene"}, {"torch"}),
    "commands": ({"core", "batch", "infer", "weights", "runtime", "worker", "scene", "jobs"}, {"torch"}),
    # the doors
    "load_package": (set(), {"bpy", "torch", "scipy", "cv2"}),
    "__init__": ({"registration"}, {"bpy", "torch", "scipy", "cv2"}),
    "__main__": ({COMMON, "commands"}, {"bpy", "torch", "scipy", "cv2"}),
    "data": (set(), ARRAYS_ONLY),
}  # fmt: skip
HEAVY_AT_MODULE_LEVEL = {"scipy", "cv2", "PIL", "torch", "huggingface_hub", "av", "fast_simplification"}
NOT_THE_PRODUCT = {"tests", "benchmarks", "tools"}


@cache
def modules() -> dict[str, Path]:
    """Every module of the product: dotted name -> file. A package goes by its own name."""
    known = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    if known.returncode == 0 and known.stdout:
        paths = [ROOT / line for line in known.stdout.splitlines()]
    else:  # an unpacked source archive
        paths = [p for p in ROOT.rglob("*.py") if not any(part.startswith(".") for part in p.relative_to(ROOT).parts)]
    found = {}
    for path in paths:
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] not in NOT_THE_PRODUCT and path.exists():
            found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return found


def room_of(module: str) -> str | None:
    """The row of `ROOMS` that a module belongs to: its own, else that of the nearest package around it."""
    while module:
        if module in ROOMS:
            return module
        module = module.rpartition(".")[0]
    return None


@cache
def imports(module: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """(modules of the project, foreign packages, foreign packages at module level) that the source of a module imports."""
    path = modules()[module]
    package = module.split(".") if path.name == "__init__.py" and module != "__init__" else module.split(".")[:-1]
    inside, foreign, top = set(), set(), set()
    tree = ast.parse(path.read_text("utf-8"))
    # Functions, and `if TYPE_CHECKING:`, which is false when the program runs.
    guarded = [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    functions = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    lazy = {id(n) for part in guarded + functions for n in ast.walk(part)}
    for node in ast.walk(tree):
        own = isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] == "sapiens2_avatar")
        if own:
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module.removeprefix("sapiens2_avatar").strip(".")] if node.module else [])])
            for alias in node.names:
                name = f"{source}.{alias.name}".strip(".")
                inside.add(name if name in modules() else source)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = {a.name.split(".")[0] for a in node.names} if isinstance(node, ast.Import) else {node.module.split(".")[0]}
            foreign |= names
            if id(node) not in lazy:
                top |= names
    return frozenset(inside - {""}), frozenset(foreign), frozenset(top)


def test_every_module_has_a_room():
    assert [m for m in modules() if room_of(m) is None and m != "core"] == []
    assert set(ROOMS) <= {room_of(m) for m in modules()}, "a row without a module"


@pytest.mark.parametrize("room", ROOMS)
def test_imports_follow_the_arrows(room):
    allowed, forbidden = ROOMS[room]
    wrong = []
    for module in (m for m in modules() if room_of(m) == room):
        inside, foreign, _ = imports(module)
        for name in sorted(inside):
            target = room_of(name) or name
            if target != room and not any(target == a or target.startswith(f"{a}.") for a in allowed):
                wrong.append(f"{module} imports {name}")
        wrong += [f"{module} imports {name}" for name in sorted(foreign & forbidden)]
    assert not wrong, "\n".join(wrong)


def test_no_two_modules_import_each_other():
    graph = {m: {name for name in imports(m)[0] if name in modules() and name != m} for m in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "infer"])
def test_heavy_libraries_are_imported_by_the_functions_that_use_them(room):
    """Blender's own Python has numpy only, and must draw the panels and write scenes with it."""
    wrong = [f"{m}: {x}" for m in modules() if room_of(m) == room for x in sorted(imports(m)[2] & HEAVY_AT_MODULE_LEVEL)]
    assert not wrong, "\n".join(wrong)


def reached(module: str) -> set[str]:
    """Every module of the project that one needs, directly or not."""
    found, left = set(), [module]
    while left:
        new = {name for name in imports(left.pop())[0] if name in modules()} - found
        found |= new
        left += new
    return found


def test_writing_a_rig_needs_no_retargeting():
    """The rig of a photo, with its pose as an action, is arrays into data-blocks; only what moves other rigs solves for them."""
    assert {room_of(module) for module in reached("scene.keys")} <= {COMMON}
    assert "scene.keys" in reached("scene.armature")
    assert {room_of(module) for module in reached("scene.armature")} <= {COMMON, "core.surface", "core.rig", "scene"}
    assert not {"scene.retarget", "scene.action", "scene.rig_state"} & reached("scene.armature")


def _packages() -> list[str]:
    return sorted(m for m, path in modules().items() if path.name == "__init__.py" and m not in ("__init__", "data"))


@pytest.mark.parametrize("package", _packages())
def test_the_map_of_a_package_has_a_row_for_every_module(package):
    rows = re.findall(r"^ *(\w+)  +\S", ast.get_docstring(ast.parse(modules()[package].read_text("utf-8"))) or "", re.MULTILINE)
    assert sorted(rows) == sorted(m.rpartition(".")[2] for m in modules() if m.rpartition(".")[0] == package)


def test_every_package_and_every_file_of_data_is_shipped():
    """What pyproject.toml lists is what goes into wheel and zip."""
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    packages = {f"sapiens2_avatar.{m}" for m, path in modules().items() if path.name == "__init__.py" and m != "__init__"}
    assert set(setuptools["packages"]) == packages | {"sapiens2_avatar"}
    patterns = setuptools["package-data"]["sapiens2_avatar.data"]
    shipped = {path for pattern in ("*.py", *patterns) for path in (ROOT / "data").glob(pattern)}
    left = [path.name for path in (ROOT / "data").rglob("*") if path.is_file() and path not in shipped and path.suffix != ".pyc"]
    assert not left


def test_only_spaces_flips_signs():
    """diag(1, -1, -1), the axes that point up or back, and their spellings live in core/common/spaces.py alone."""
    triples = ("1, -1, -1", "0, -1, 0", "0, 0, -1", "1.0, -1.0, -1.0", "0.0, -1.0, 0.0", "0.0, 0.0, -1.0")
    spelling = re.compile(rf"(?<![\w\])])[\[(](?:{'|'.join(map(re.escape, triples))})[\])]")  # and not an index or a call
    wrong = [m for m, path in modules().items() if m != "core.common.spaces" and spelling.search(path.read_text("utf-8"))]
    assert not wrong


def test_import_loads_nothing_heavy():
    code = (
        "import sys, sapiens2_avatar as s2; s2.Predictions; "
        "print(*sorted({m.split('.')[0] for m in sys.modules} & {'torch','scipy','cv2','PIL','bpy','huggingface_hub'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""
