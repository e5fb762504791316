"""What the tests in Blender share. They run on the bpy module of every supported Blender, against the checkout or, with EXT_ZIP
set, against that zip, installed as an artist would install it."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from dataclasses import replace
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

if find_spec("bpy") is None:
    collect_ignore_glob = ["*"]
if "bpy" not in sys.modules:  # must be set before bpy is imported for the first time
    os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="blender user ü ", dir=os.environ.get("TMPDIR"))

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="no bpy in this Python")

ROOT = Path(__file__).resolve().parents[2]
ID = "sapiens2_avatar"
EXT_ZIP = os.environ.get("EXT_ZIP", "")


def _checkout() -> ModuleType:
    """The package from the checkout, under its own name."""
    if ID in sys.modules:
        return sys.modules[ID]
    spec = spec_from_file_location(ID, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    module = module_from_spec(spec)
    sys.modules[ID] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def extension() -> ModuleType:
    """The extension, enabled: installed from the zip in EXT_ZIP, else registered from the checkout."""
    if not EXT_ZIP:
        module = _checkout()
        module.register()
        return module
    result = bpy.ops.extensions.package_install_files(
        filepath=str(Path(EXT_ZIP).resolve()), repo="user_default", enable_on_install=True
    )
    assert result == {"FINISHED"}
    return sys.modules[f"bl_ext.user_default.{ID}"]


@pytest.fixture(scope="session")
def part(extension):
    """Function: "scene.build" -> that module of the extension under test."""
    return lambda name: importlib.import_module(f"{extension.__name__}.{name}")


@pytest.fixture(autouse=True)
def empty_scene(part):
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    part("scene.context_scene").renew_context_scene()  # a test before may have used Rigify
    yield


@pytest.fixture(scope="session")
def worker_python() -> Path:
    """A Python that can run the worker: the project's main environment."""
    python = Path(
        os.environ.get("SAPIENS2_PYTHON") or ROOT / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    )
    if not python.exists():
        pytest.skip(f"no Python for the worker at {python}: run python3 tools/dev.py setup")
    os.environ["SAPIENS2_PYTHON"] = str(python)
    return python


@pytest.fixture
def worker(part, worker_python):
    """The module `jobs` with a Python to run the worker; the process is gone after the test."""
    jobs = part("jobs")
    jobs.refresh()
    yield jobs
    jobs.stop()


@pytest.fixture(scope="session")
def make_avatar(part):
    """Function: an avatar of a wavy sheet, height x width vertices, one for each pixel, with an arm of three bones."""
    data, frames = part("core.common.arrays"), part("core.common.spaces")

    def make(height: int = 64, width: int = 48, rig: bool = True, name: str = "Photo", quads: bool = False, atlas: bool = False):
        rng = np.random.default_rng(7)
        camera = data.Camera(width, height, width * 1.4, width * 1.4, width * 0.53, height * 0.47)
        y, x = np.mgrid[:height, :width]
        z = 2 + 0.3 * np.sin(6 * x / width) * np.cos(5 * y / height)
        vertices = (camera.rays() * z[..., None]).reshape(-1, 3).astype(np.float32)
        index = np.arange(height * width).reshape(height, width)
        a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
        faces = np.stack([np.stack([a, b, c], 1), np.stack([a, c, d], 1)], 1).reshape(-1, 3).astype(np.int32)
        uvs = frames.uv_from_pixel(np.stack([x, y], -1).reshape(-1, 2).astype(np.float32), width, height)
        normals = -vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
        labels = np.select([y < height // 4, y < height // 2], [4, 3], 23).astype(np.uint8).ravel()  # hair, face, clothing
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        textures = data.Textures(
            image, "photo", np.full((height, width), 255, np.uint8),
            normal_tangent=rng.integers(0, 65536, (height, width, 3), dtype=np.uint16),
            roughness=rng.integers(0, 256, (height, width), dtype=np.uint8),
        )  # fmt: skip
        placement = np.eye(4)
        placement[:3, :3] = frames.LEVEL_WORLD_FROM_CAMERA
        placement[:3, 3] = 0.1, -2.0, 1.1
        skeleton = weights = None
        if rig:
            skeleton = data.RigData(
                ("spine", "spine.001", "upper_arm.L"),
                np.array([-1, 0, 1], np.int32),
                np.array([[0, 0.3, 2], [0, 0, 2], [0.2, -0.2, 2]], np.float32),
                np.array([[0, 0, 2], [0, -0.3, 2], [0.5, -0.2, 2]], np.float32),
                np.array([[0, 0, -1], [0.1, 0, -1], [0, -1, 0.2]], np.float32),
                np.array([False, True, False]),
                np.array([False, False, True]),
            )
            amount = rng.random((len(vertices), 3)).astype(np.float32) ** 3
            amount[: len(amount) // 2, 2] = 0
            weights = data.SkinWeights(
                np.tile(np.array([[0, 1, 2]], np.int32), (len(vertices), 1)), amount / amount.sum(1, keepdims=True)
            )
        # In the atlas of the tests the sheet lies on its side.
        corners = (uvs[faces][..., ::-1] * [-0.5, 0.5] + [0.75, 0.25]).astype(np.float32) if atlas else None
        mesh = data.MeshData(vertices, faces, uvs.astype(np.float32), normals.astype(np.float32), labels, corners, quads)
        return part("core.common.avatars").Avatar(name, camera, placement, mesh, textures, image, skeleton, weights, ("A note.",))

    return make


@pytest.fixture(scope="session")
def factory(extension) -> ModuleType:
    """benchmarks/measures/rig_factory.py: rigs of every family. It uses the checkout under its own name."""
    _checkout()
    from measures import rig_factory

    return rig_factory


@pytest.fixture
def character(factory, part):
    """Function: an armature object with the bones of a family; `rename` changes their names, options are those of the factory."""
    from mathutils import Vector

    def make(family: str = "mixamo", rest_pose: str = "A", rename=lambda name: name, **options):
        rest = factory.make_rig(family, rest_pose, **options)
        data = bpy.data.armatures.new(family)
        obj = bpy.data.objects.new(family, data)
        bpy.context.scene.collection.objects.link(obj)
        with part("scene.armature").edit_bones(obj) as bones:
            made = []
            for n, name in enumerate(rest.names):
                bone = bones.new(rename(name))
                bone.head, bone.tail = rest.heads[n], rest.tails[n]
                bone.align_roll(Vector(rest.rotations[n, :, 2]))
                bone.parent = made[rest.parents[n]] if rest.parents[n] >= 0 else None
                made.append(bone)
        return obj

    return make


@pytest.fixture
def rig_file(character, part, tmp_path):
    """Function: a .blend with armatures of the given families."""

    def make(*families: str, name: str = "rigs ü.blend") -> Path:
        part("scene.files").new_file()
        for family in families:
            character(family)
        return part("scene.files").save_blend(tmp_path / name)

    return make


@pytest.fixture
def dressed(part, make_avatar):
    """An avatar with a body in the A-pose, covered and painted, and a sleeveless top made of the skin of its chest."""
    character, avatars = part("core.body.character"), part("core.common.avatars")
    body, rig = character.standing(part("core.body.evaluate").Shape())
    chest = np.isin(rig.names, ["spine.003", "spine.002"])
    own = body.weights.weights[np.arange(len(body.vertices)), :] * chest[body.weights.bones]
    chosen = own.sum(axis=1) > 0.9
    faces = chosen[body.quads].all(axis=1) & (body.part == 0)
    used, row = np.unique(body.quads[faces], return_inverse=True)
    rng = np.random.default_rng(3)
    textures = avatars.SurfaceTextures(
        rng.integers(0, 255, (64, 64, 3)).astype(np.uint8), np.ones((64, 64), bool), np.full((64, 64, 3), 32768, np.uint16)
    )
    top = avatars.GarmentData(
        kind="upper",
        vertices=body.vertices[used] + np.float32([0, -0.01, 0]),
        quads=row.reshape(-1, 4).astype(np.int32),
        uvs=body.uvs[faces],
        weights=part("core.common.arrays").SkinWeights(body.weights.bones[used], body.weights.weights[used]),
        labels=np.array([22], np.uint8),
        tone=np.array([200, 30, 40], np.uint8),
        inside=np.zeros(faces.sum(), bool),
        textures=textures,
    )
    body = replace(body, covered=chosen, textures=textures, tones={"irises": np.array([20, 90, 160], np.uint8)})
    # A photo's pose: both bend at the hips, so that what follows the rig is seen to do so.
    turn = np.eye(4)
    turn[:3, :3] = part("core.common.rotations").rotation_from_vector(np.array([0.4, 0, 0]))
    rig = replace(rig, photo_from_rest=np.tile(turn, (len(rig.names), 1, 1)))
    return replace(
        make_avatar(),
        world_from_camera=np.eye(4),
        mesh=None,
        textures=None,
        parts=None,
        weights=None,
        encoded={},
        body=body,
        rig=rig,
        garments=(top,),
    )
