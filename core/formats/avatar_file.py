"""Avatars on disk: how the worker hands its arrays to Blender.
One container (`core.common.containers`), read with numpy alone."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..common.arrays import Avatar, BodyData, Camera, MeshData, PartData, RigData, SkinWeights, Textures
from ..common.containers import Container, Format, fitting, read_container, write_container
from ..common.memo import Memo, digest
from .exr import exr_bytes
from .png import png_bytes

FILE = Format("sapiens2-avatars", 2, "avatars", "Build them again from the photo or its predictions.")
GROUPS = {"mesh": MeshData, "textures": Textures, "rig": RigData, "weights": SkinWeights, "parts": PartData, "body": BodyData}
TEXTURES = ("base_colour_srgb", "mask", "normal_tangent", "roughness", "displacement")
"""The images of `Textures`."""


def save_avatars(avatars: list[Avatar], path: str | Path, memo: Memo | None = None) -> Path:
    """Write all avatars of one photo to `path`; images that they share are stored once.

    Images are also stored as the files that Blender packs, so that Blender, whose window waits meanwhile, need not encode them.
    `memo`: those that were encoded for a former file are taken from here.
    """

    def encoded(pixels: np.ndarray) -> np.ndarray:
        return _encoded(pixels) if memo is None else memo.get(("image file", digest(pixels)), lambda: _encoded(pixels))

    tensors: dict[str, np.ndarray] = {}
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
            record["groups"][group] = {}
            for f in fields(value):
                item = getattr(value, f.name)
                if isinstance(item, np.ndarray):
                    tensors[f"{i}.{group}.{f.name}"] = item
                elif isinstance(item, SkinWeights):
                    tensors |= {f"{i}.{group}.{f.name}.{g.name}": getattr(item, g.name) for g in fields(item)}
                elif item is not None:
                    record["groups"][group][f.name] = item
        for name in TEXTURES if avatar.textures is not None else ():
            pixels = getattr(avatar.textures, name)
            if pixels is not None:
                tensors[f"{i}.encoded.{name}"] = encoded(pixels)
        records.append(record)
    if avatars:
        tensors["image"] = avatars[0].image
        tensors["encoded.image"] = encoded(avatars[0].image)
    return write_container(path, FILE, tensors, {"avatars": json.dumps(records)})


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
    groups: dict[str, Any] = {}
    for group, values in record["groups"].items():
        prefix = f"{i}.{group}."
        arrays: dict[str, Any] = {key.removeprefix(prefix): value for key, value in read.arrays.items() if key.startswith(prefix)}
        if group == "body":
            arrays["weights"] = SkinWeights(arrays.pop("weights.bones"), arrays.pop("weights.weights"))
        scalars = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        groups[group] = GROUPS[group](**arrays, **scalars)
    files = {"image": "encoded.image"} | {name: f"{i}.encoded.{name}" for name in TEXTURES}
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
        **groups,
    )
