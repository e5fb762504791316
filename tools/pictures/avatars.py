"""Turntables of docs/avatars.md: the photo, eight views of the avatar that was made of it, and the truth below where it is known.

usage: python tools/pictures/avatars.py FILE.blend PHOTO [--truth FILE.npz] -o SHEET.jpg [--clay]

PHOTO: an image or the predictions. FILE.npz: what is true of a synthetic person: vertices (V, 3) in the camera's space,
faces (F, 3), vertex_albedo (V, 3) uint8. Needs bpy; Cycles on the CPU, a minute.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix
from PIL import Image

from sapiens2_avatar.core.common.colour import linear_from_srgb
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.scene.marks import ROLE, has_person, objects_of
from sapiens2_avatar.scene.render import Shot, render_views

AZIMUTHS = range(0, 360, 45)
SIZE = 210, 360  # pixels of a view
SAMPLES = 12
BACKDROP = 232


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("blend", type=Path)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--clay", action="store_true", help="without textures")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    bpy.ops.wm.open_mainfile(filepath=str(options.blend))
    collection = next(found for found in bpy.data.collections if has_person(found))
    rows = [turntable(collection, options.clay)]
    if options.truth is not None:
        rows.append(turntable(truth(options.truth, collection), options.clay))
    photo = picture(options.photo, SIZE[1] * len(rows))
    sheet = Image.new("RGB", (photo.width + rows[0].width, photo.height), (BACKDROP,) * 3)
    sheet.paste(photo, (0, 0))
    for number, row in enumerate(rows):
        sheet.paste(row, (photo.width, number * SIZE[1]))
    sheet.save(options.output, quality=80, optimize=True)


def picture(path: Path, height: int) -> Image.Image:
    """The photo, not wider than it is high."""
    image = Image.fromarray(Predictions.load(path).image) if path.suffix == ".safetensors" else Image.open(path).convert("RGB")
    image.thumbnail((height, height))
    canvas = Image.new("RGB", (image.width, height), (BACKDROP,) * 3)
    canvas.paste(image, (0, (height - image.height) // 2))
    return canvas


def turntable(collection: bpy.types.Collection, clay: bool) -> Image.Image:
    """Eight views side by side."""
    row = Image.new("RGB", (SIZE[0] * len(AZIMUTHS), SIZE[1]), (BACKDROP,) * 3)
    with tempfile.TemporaryDirectory() as folder:
        shots = [Shot(Path(folder) / f"{azimuth}.png", azimuth, turntable=True, clay=clay) for azimuth in AZIMUTHS]
        for number, view in enumerate(render_views(collection, shots, SIZE, SAMPLES)):
            with Image.open(view.path) as made:
                row.paste(made, (SIZE[0] * number, 0), made)
    return row


def truth(path: Path, beside: bpy.types.Collection) -> bpy.types.Collection:
    """A collection with the true surface as it stood before the camera of an avatar."""
    with np.load(path) as known:
        vertices, faces, albedo = known["vertices"], known["faces"], known["vertex_albedo"]
        from_camera = known["world_from_camera"]
    (camera,) = objects_of([beside], "camera")
    mesh = bpy.data.meshes.new("Truth")
    mesh.from_pydata((vertices @ from_camera[:3, :3].T + from_camera[:3, 3]).tolist(), [], faces.tolist())
    mesh.shade_smooth()
    colours = mesh.color_attributes.new("Albedo", "FLOAT_COLOR", "POINT")
    rgba = np.concatenate([linear_from_srgb(albedo), np.ones((len(albedo), 1), np.float32)], axis=1)
    colours.data.foreach_set("color", rgba.ravel())
    mesh.materials.append(_painted("Albedo"))
    obj = bpy.data.objects.new("Truth", mesh)
    obj[ROLE] = "scan"
    found = bpy.data.collections.new("Truth")
    bpy.context.scene.collection.children.link(found)
    found.objects.link(obj)
    camera = camera.copy()
    looks = Matrix(from_camera.tolist()) @ Matrix.Diagonal((1, -1, -1, 1))
    camera.parent, camera.matrix_world = None, looks
    found.objects.link(camera)
    return found


def _painted(attribute: str) -> bpy.types.Material:
    material = bpy.data.materials.new("Truth")
    if bpy.app.version < (5, 0):
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Roughness"].default_value = 0.6
    colour = material.node_tree.nodes.new("ShaderNodeVertexColor")
    colour.layer_name = attribute
    material.node_tree.links.new(colour.outputs["Color"], shader.inputs["Base Color"])
    return material


if __name__ == "__main__":
    main()
