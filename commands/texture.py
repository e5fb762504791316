"""`texture IMAGE|PREDICTIONS… --mesh FILE.blend[:OBJECT] -o FILE.blend`: the photo on a mesh of the artist."""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.common.errors import SapiensError
from ..core.texture.settings import MeshTextureSettings, TextureSettings
from . import through_worker
from .armatures import check_named
from .build import require_blender
from .console import Console
from .inputs import check_blend, check_writable, predictions_files
from .options import add_network, add_settings, settings_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    import bpy

    from ..core.texture.artist_mesh import ArtistMesh, MeshTexture

HELP = "The photo as the texture of a mesh of yours that stands on the person."


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="IMAGE|PREDICTIONS",
        help="the photo that the mesh stands in, and more photos of the same person, in any pose; or their stored predictions",
    )
    parser.add_argument("--mesh", required=True, metavar="FILE.blend[:OBJECT]", help="the mesh to be painted")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.blend")
    add_settings(parser, MeshTextureSettings)
    add_settings(parser, TextureSettings, only=("colour",))
    add_network(parser)


def run(options: Namespace, console: Console) -> None:
    output = Path(options.output)
    check_blend(output)
    check_named(options.mesh)
    check_writable(output)
    require_blender()
    console.claim_stdout()
    settings, look = settings_from(MeshTextureSettings, options), TextureSettings(colour=options.colour)
    inputs = list(map(Path, options.inputs))
    with tempfile.TemporaryDirectory(prefix="sapiens2-") as folder:
        files = [file for k, path in enumerate(inputs) for file in _predictions(path, Path(folder) / str(k), options, console)]
        if len(files) < len(inputs):
            return  # which and why was said; a texture of the rest would be another one than was asked for
        from ..core.common.predictions import Predictions
        from ..scene.files import save_blend
        from ..scene.mesh_texture import camera_in, read_mesh, write_texture
        from ..scene.people import find_photo, image_hash

        obj = open_mesh(options.mesh)
        photo = image_hash(Predictions.load(files[0]).image)
        found = find_photo(_scene(), photo, str(inputs[0].absolute()))
        mesh = read_mesh(obj, camera_in(found), settings.new_uvs)
        made = texture_of(mesh, files, settings, look, console)
        write_texture(obj, made)
    for note in made.notes:
        console.note(note)
    seen = float(made.textures.seen.mean())
    console.note(f"{obj.name}: {settings.size} x {settings.size} texels")
    console.record(mesh=obj.name, seen=round(seen, 4))
    console.result(save_blend(output))


def _predictions(path: Path, folder: Path, options: Namespace, console: Console) -> tuple[Path, ...]:
    folder.mkdir()
    return predictions_files([path], folder, options, console)


def _scene() -> bpy.types.Scene:
    import bpy

    from ..scene.typed import scene_of

    return scene_of(bpy.context)


def texture_of(
    mesh: ArtistMesh, files: Sequence[Path], settings: MeshTextureSettings, look: TextureSettings, console: Console
) -> MeshTexture:
    """The photos of predictions files on a mesh, made in this process or, inside Blender, by the worker."""
    if through_worker.needed():
        return through_worker.texture_of(mesh, files, settings, look, console)
    from ..core.common.predictions import Predictions
    from ..core.formats.stored_inputs import load_named
    from ..core.mesh_texture import texture_mesh

    report = partial(console.progress, mesh.name)
    return texture_mesh(mesh, Predictions.load(files[0]), settings, look, load_named(files[1:]), report)


def open_mesh(text: str) -> bpy.types.Object:
    """Open the file and return the mesh object: the artist's only one, if no name is given. Raises SapiensError."""
    import bpy

    from ..scene.files import open_blend
    from ..scene.marks import ROLE

    path, name = check_named(text)
    open_blend(path)
    if name:
        found = [ob for ob in bpy.data.objects if ob.name == name]
        if not found:
            raise SapiensError(f"{path.name} has no object named {name!r}.", "Look up its name in the outliner.")
        return found[0]
    found = [ob for ob in bpy.data.objects if ob.type == "MESH" and ROLE not in ob]
    if not found:
        raise SapiensError(f"{path.name} has no mesh of yours.", "Say which object: FILE.blend:OBJECT.")
    if len(found) > 1:
        names = ", ".join(sorted(ob.name for ob in found))
        raise SapiensError(f"{path.name} has several meshes: {names}.", "Say which one: FILE.blend:OBJECT.")
    return found[0]
