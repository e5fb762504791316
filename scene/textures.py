"""The textures of an export beside it, under names that no other export has."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import bpy

FOLDER = "textures"
MAP = r"(?:map_\w+|bump|norm|disp|decal|refl)(?: -[a-z]+(?: [-+.\deE]+)*)*"
"""A line of an .mtl that names an image, up to its name, with options such as "-bm 0.5"."""
LONGEST = 60
"""Bytes of an image's name, which Blender before 5 cuts at 63; three stay for its endings."""


@contextmanager
def own_textures(objects: Sequence[bpy.types.Object], target: Path) -> Iterator[list[bpy.types.Image]]:
    """The images of the materials of these objects, for the moment called after the file `target` that is written: exporters put
    them beside it, where another photo of the same name may have left its own.
    """
    images = _images(objects)
    own = [image for image in images if image.library is None]  # one of another file keeps its name
    before = [(image, image.name, image.filepath_raw, [pack.filepath for pack in image.packed_files]) for image in own]
    try:
        for image in own:
            suffix = Path(image.filepath_raw).suffix or ".png"
            image.name = _own_name(target, image.name)
            if image.packed_file is None:  # the artist's own file is copied under its own name
                continue
            # Exporters take the name from the image, and the file from the name in the pack.
            image.filepath_raw = f"//{FOLDER}/{bpy.path.clean_name(image.name)}{suffix}"
            for pack in image.packed_files:
                pack.filepath = image.filepath_raw
        yield images
    finally:
        for image, name, path, packs in before:
            image.name, image.filepath_raw = name, path
            for pack, path in zip(image.packed_files, packs, strict=True):
                pack.filepath = path


def complete_obj(obj: Path, images: Sequence[bpy.types.Image]) -> None:
    """Write the images into `textures` beside an OBJ and let its .mtl name them there: Blender's exporter writes no packed image,
    and names it by a path that is not there. The .mtl gets a name without spaces, at which other readers would cut it off."""
    library = obj.with_suffix(".mtl")
    if not library.is_file():
        return
    clean = f"{bpy.path.clean_name(obj.stem)}.mtl"
    if clean != library.name:
        _replace_line(obj, f"mtllib {library.name}".encode(), f"mtllib {clean}".encode())
        library = library.rename(library.with_name(clean))
    text = library.read_text("utf-8", errors="surrogateescape")
    for image in images:
        name = f"{bpy.path.clean_name(image.name)}{Path(image.filepath_raw).suffix or '.png'}"
        # The exporter's name is that of the file, or of the image where it has none; options stand before it.
        known = "|".join(re.escape(part) for part in {Path(bpy.path.abspath(image.filepath_raw)).name, image.name} if part)
        text, found = re.subn(rf"^({MAP}) .*?(?:{known})$", rf"\1 {FOLDER}/{name}", text, flags=re.MULTILINE)
        if found:
            (obj.parent / FOLDER).mkdir(exist_ok=True)
            _write(image, obj.parent / FOLDER / name)
    library.write_text(text, "utf-8", errors="surrogateescape")


def _replace_line(path: Path, old: bytes, new: bytes) -> None:
    """Another line in the place of the first such one of a file, which may be large."""
    content = path.read_bytes()
    start = content.index(old)
    path.write_bytes(content[:start] + new + content[start + len(old) :])


def _images(objects: Sequence[bpy.types.Object]) -> list[bpy.types.Image]:
    """The images in materials, each once, in the order of their names; tiled ones, which are many files, are left alone."""
    trees = [slot.material.node_tree for ob in objects for slot in ob.material_slots if slot.material and slot.material.node_tree]
    found = {node.image for tree in trees for node in tree.nodes if node.type == "TEX_IMAGE" and node.image is not None}
    return sorted((image for image in found if image.source in ("FILE", "GENERATED")), key=lambda image: image.name)


def _own_name(target: Path, name: str) -> str:
    """ "anna.obj", "Base Color" -> "anna_obj_Base Color"; long names of files are cut, and told apart by a digest."""
    own = f"{target.stem}_{target.suffix[1:].lower()}"
    room = max(LONGEST - len(name.encode()) - 1, 12)
    if len(own.encode()) > room:
        digest = hashlib.sha256(own.encode()).hexdigest()[:8]
        own = own.encode()[: room - 9].decode(errors="ignore") + f"_{digest}"
    return f"{own}_{name}"


def _write(image: bpy.types.Image, path: Path) -> None:
    """The file of an image, as it is packed or lies on the disk, else its pixels."""
    source = Path(bpy.path.abspath(image.filepath_raw)) if image.filepath_raw else None
    if image.packed_file is not None:
        path.write_bytes(image.packed_file.data)
    elif source is not None and source.is_file() and not image.is_dirty:
        shutil.copyfile(source, path)
    elif image.has_data:
        image.save(filepath=str(path), save_copy=True)
