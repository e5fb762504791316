"""The photo over the avatar, in views that look through its camera: under the handles, and where handles are off, too."""

from __future__ import annotations

from typing import Any

import bpy
import gpu
import numpy as np
from bpy.types import Context, Gizmo, Image, SpaceView3D
from gpu_extras.batch import batch_for_shader

from ..avatar_queries import look_in
from ..scene.through_photo import PhotoFrame, photo_of
from .handle import LIGHT, draw_shape

MOST = 2048
"""Pixels of the longer side that a photo is shown with."""
_handler: object | None = None
_texture: tuple[int, gpu.types.GPUTexture] | None = None


def start() -> None:
    """Draw from now on, where there is a window."""
    global _handler
    if _handler is None and not bpy.app.background:
        _handler = SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def stop() -> None:
    global _handler, _texture
    if _handler is not None:
        SpaceView3D.draw_handler_remove(_handler, "WINDOW")
    _handler = _texture = None


def _draw() -> None:
    """Gizmos are drawn before this: where they are on, one of them is the photo."""
    if not bpy.context.space_data.show_gizmo:
        draw_photo(bpy.context)


class SAPIENS2_GT_photo(Gizmo):
    """The photo, as the last gizmo of a group, which Blender draws first: all others lie over it."""

    bl_idname = "SAPIENS2_GT_photo"

    def draw(self, context: Context) -> None:
        draw_photo(context)

    def test_select(self, _context: Context, _location: object) -> int:
        return -1


def draw_photo(context: Context) -> None:
    """The photo in the region of the context, as opaque and as far wiped off as the settings say."""
    look = look_in(context)
    if look is None or (frame := look.frame) is None:
        return
    settings = context.scene.sapiens2.look
    image = photo_of(look.camera)
    if image is not None and settings.opacity > 0 and settings.wipe < 1:
        _draw_photo(image, frame, settings.opacity, settings.wipe)
    if 0 < settings.wipe < 1:
        x = frame.low[0] + settings.wipe * (frame.high[0] - frame.low[0])
        draw_shape("LINES", [(x, frame.low[1]), (x, frame.high[1])], LIGHT)


def _draw_photo(image: Image, frame: PhotoFrame, opacity: float, wipe: float) -> None:
    """The part of the photo right of `wipe`, a share of its width."""
    (left, low), (right, high) = frame.low, frame.high
    left += wipe * (right - left)
    shader = gpu.shader.from_builtin("IMAGE_COLOR")
    corners = [(left, low, 0.0), (right, low, 0.0), (right, high, 0.0), (left, high, 0.0)]
    batch = batch_for_shader(shader, "TRI_FAN", {"pos": corners, "texCoord": [(wipe, 0), (1, 0), (1, 1), (wipe, 1)]})
    gpu.state.blend_set("ALPHA")
    shader.bind()
    shader.uniform_sampler("image", _texture_of(image))
    shader.uniform_float("color", (1.0, 1.0, 1.0, opacity))
    batch.draw(shader)
    gpu.state.blend_set("NONE")


def _texture_of(image: Image) -> gpu.types.GPUTexture:
    """The pixels as they are stored, which is how a region's overlay takes them; made once for each image."""
    global _texture
    if _texture is None or _texture[0] != image.session_uid:
        width, height = image.size
        pixels = np.empty(width * height * image.channels, np.float32)
        image.pixels.foreach_get(pixels)
        step = -(-max(width, height) // MOST)
        shown = np.ones((*pixels.reshape(height, width, -1)[::step, ::step].shape[:2], 4), np.float32)
        shown[..., :3] = pixels.reshape(height, width, -1)[::step, ::step, :3]
        types: Any = gpu.types  # whose stubs say nothing of what they are made from
        buffer = types.Buffer("FLOAT", shown.size, np.ascontiguousarray(shown).ravel())
        _texture = image.session_uid, types.GPUTexture(shown.shape[1::-1], format="RGBA16F", data=buffer)
    return _texture[1]


def redraw(context: Context) -> None:
    """Draw every 3D view anew."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


CLASSES = (SAPIENS2_GT_photo,)
