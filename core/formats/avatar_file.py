"""Avatars on disk: how the worker hands its arrays to Blender.
One container (`core.common.containers`), read with numpy alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..common.arrays import Camera, MeshData, PartData, RigData, SkinWeights, Textures
from ..common.avatars import Avatar, BodyData, GarmentData, SurfaceTextures
from ..common.containers import Container, Format, fitting, read_container, write_container
from ..common.memo import Memo, digest
from .exr import exr_bytes
from .png import png_bytes

FILE = Format("sapiens2-avatars", 3, "avatars", "Build them again from the photo or its predictions.")
GROUPS = {"mesh": MeshData, "textures": Textures, "rig": RigData, "weights": SkinWeights, "parts": PartData, "body": BodyData}
NESTED = {"weights": SkinWeights, "textures": SurfaceTextures}
"""Fields of a body and a garment that are arrays of their own."""
TEXTURES = ("base_colour_srgb", "mask", "normal_tangent", "roughness", "displacement")
"""The images of `Textures`."""
PAINTED = ("base_colour_srgb", "normal_tangent", "roughness")
"""Those of `SurfaceTextures`."""


def save_avatars(avatars: list[Avatar], path: str | Path, memo: Memo | None = None) -> Path:
    """Write all avatars of one photo to `path`; images that they share are stored once.

    Images are also stored as the files that Blender packs, so that Blender, whose window waits meanwhile, need not encode them.
    `memo`: those that were encoded for a former file are taken from here.
    """

    def encoded(pixels: np.ndarray) -> np.ndarray:
        return _encoded(pixels) if memo is None else memo.get(("image file", digest(pixels)), lambda: _encoded(pixels))

    images = {f"{i}.encoded.{name}": pixels for i, avatar in enumerate(avatars) for name, pixels in images_of(avatar).items()}
    if avatars:
        images["encoded.image"] = avatars[0].image
    # One after the other: where memory runs out, a thread that cannot begin is waited for without end.
    tensors = {name: encoded(pixels) for name, pixels in images.items()}
    records = []
    for i, avatar in enumerate(avatars):
        tensors[f"{i}.world_from_camera"] = avatar.world_from_camera.astype(np.float64)
        record: dict = {
            "name": avatar.name,
            "camera": asdict(avatar.camera),
            "notes": list(avatar.notes),
            "focal_lengths": dict(avatar.focal_lengths),
            "pixels": avatar.pixels,
            "groups": {},
        }
        for group in GROUPS:
            value = getattr(avatar, group)
            if value is None:
                continue
            record["groups"][group] = _pack(value, f"{i}.{group}.", tensors)
        record["garments"] = [_pack(garment, f"{i}.garment {k}.", tensors) for k, garment in enumerate(avatar.garments)]
        records.append(record)
    if avatars:
        tensors["image"] = avatars[0].image
    return write_container(path, FILE, tensors, {"avatars": json.dumps(records)})


def images_of(avatar: Avatar) -> dict[str, np.ndarray]:
    """The images of an avatar by their names in `Avatar.encoded`, without the photo."""
    out = {name: getattr(avatar.textures, name, None) for name in TEXTURES}
    painted = {f"garment {k}": garment.textures for k, garment in enumerate(avatar.garments)}
    if avatar.body is not None:
        painted["body"] = avatar.body.textures
    out |= {f"{owner}.{name}": getattr(textures, name, None) for owner, textures in painted.items() for name in PAINTED}
    return {name: pixels for name, pixels in out.items() if pixels is not None}


def _pack(value: Any, prefix: str, tensors: dict[str, np.ndarray]) -> dict[str, Any]:
    """Put the arrays of a dataclass among the tensors, under names that begin with `prefix`. Returns what is no array."""
    rest: dict[str, Any] = {}
    for f in fields(value):
        item = getattr(value, f.name)
        if isinstance(item, np.ndarray):
            tensors[f"{prefix}{f.name}"] = item
        elif isinstance(item, Mapping):
            tensors |= {f"{prefix}{f.name}.{key}": array for key, array in item.items()}
        elif isinstance(item, (SkinWeights, SurfaceTextures)):
            _pack(item, f"{prefix}{f.name}.", tensors)
        elif item is not None:
            rest[f.name] = item
    return rest


def _unpack(kind: type, prefix: str, arrays: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> Any:
    """What `_pack` put away."""
    own = {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in rest.items()}
    values |= {key: array for key, array in own.items() if "." not in key}
    for name in {key.partition(".")[0] for key in own if "." in key}:
        parts = {key.partition(".")[2]: array for key, array in own.items() if key.startswith(f"{name}.")}
        values[name] = NESTED[name](**parts) if name in NESTED else parts
    return kind(**values)


def _encoded(pixels: np.ndarray) -> np.ndarray:
    """(N,) uint8: the image as a PNG file, or as an EXR file if it is of floats."""
    return np.frombuffer(exr_bytes(pixels) if pixels.dtype.kind == "f" else png_bytes(pixels), np.uint8)


def load_avatars(path: str | Path) -> list[Avatar]:
    """Read what `save_avatars` wrote. Raises SapiensError for any other file."""
    read = read_container(path, FILE)
    with fitting(path, FILE):
        return [_avatar(read, i, record) for i, record in enumerate(json.loads(read.strings["avatars"]))]


def _avatar(read: Container, i: int, record: dict[str, Any]) -> Avatar:
    """Avatar i of a file, whose record holds what is no array."""
    groups = {group: _unpack(GROUPS[group], f"{i}.{group}.", read.arrays, rest) for group, rest in record["groups"].items()}
    garments = [_unpack(GarmentData, f"{i}.garment {k}.", read.arrays, rest) for k, rest in enumerate(record["garments"])]
    prefix = f"{i}.encoded."
    files = {"image": "encoded.image"} | {key.removeprefix(prefix): key for key in read.arrays if key.startswith(prefix)}
    return Avatar(
        name=record["name"],
        camera=Camera(**record["camera"]),
        world_from_camera=read.arrays[f"{i}.world_from_camera"],
        mesh=groups.pop("mesh", None),
        textures=groups.pop("textures", None),
        image=read.arrays["image"],
        notes=tuple(record["notes"]),
        focal_lengths=record["focal_lengths"],
        encoded={name: read.arrays[key] for name, key in files.items() if key in read.arrays},
        pixels=record["pixels"],
        garments=tuple(garments),
        **groups,
    )
