"""The photo on a mesh of the artist."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.types import Context, Object, Operator

from .. import jobs
from ..avatar_queries import active_avatar, active_predictions
from ..core.common.errors import SapiensError
from ..core.texture.settings import MeshTextureSettings, TextureSettings
from ..setting_properties import said
from ..step_properties import MeshTextureProperties
from ..worker.client import WorkerJob
from ..worker.requests import TextureRequest
from .build import other_predictions
from .job import Idle, JobOperator
from .stored import missing


class SAPIENS2_OT_texture_mesh(MeshTextureProperties, Idle, JobOperator, Operator):
    """Project the photo onto the active mesh, which stands on the person, and fill what it does not show"""

    bl_idname = "sapiens2.texture_mesh"
    bl_label = "Photo onto Mesh"
    bl_options = {"REGISTER", "UNDO"}

    _target = 0

    @classmethod
    def poll(cls, context: Context) -> bool:
        if not super().poll(context):
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("Switch to Object Mode first")
            return False
        if context.object is None or context.object.type != "MESH":
            cls.poll_message_set("Select the mesh that stands on the person in the photo")
            return False
        if not active_predictions(context):
            cls.poll_message_set("There are no predictions yet: make an avatar first")
            return False
        return True

    def draw(self, _context: Context) -> None:
        self.layout.use_property_split, self.layout.use_property_decorate = True, False
        self.draw_mesh_texture(self.layout)

    def make_job(self, context: Context, scratch: Path) -> WorkerJob:
        from ..scene.mesh_texture import camera_in, read_mesh

        settings, stands = context.scene.sapiens2, context.object
        if stands is None:
            raise SapiensError("No mesh is selected.", "Select the mesh that stands on the person in the photo.")
        for name in said(MeshTextureSettings, self):
            if not self.properties.is_property_set(name):
                setattr(self, name, getattr(settings.mesh_texture, name))
        asked = MeshTextureSettings(**said(MeshTextureSettings, self))
        path = Path(bpy.path.abspath(active_predictions(context)))
        if not path.is_file():
            raise missing(path)
        self._target, collection = stands.session_uid, active_avatar(context)
        mesh = read_mesh(stands, camera_in(collection), asked.new_uvs)
        request = TextureRequest(
            predictions=path,
            mesh=mesh.save(scratch / "mesh.safetensors"),
            output=scratch / "texture.safetensors",
            settings=asked,
            look=TextureSettings(**said(TextureSettings, settings.texture)),
            others=other_predictions(collection),
        )
        return WorkerJob(stands.name, request)

    def finish(self, context: Context, job: WorkerJob) -> None:
        from ..core.texture.artist_mesh import MeshTexture
        from ..scene.mesh_texture import write_texture

        made = MeshTexture.load(job.result["texture"])
        material = write_texture(self._mesh(job.title), made)
        group = context.scene.sapiens2.mesh_texture
        for name in said(MeshTextureSettings, self):
            setattr(group, name, getattr(self, name))
        jobs.status.notes = made.notes
        self.report({"INFO"}, f"{material.name}: {made.textures.base_colour_srgb.shape[0]} texels")

    def _mesh(self, name: str) -> Object:
        found = next((obj for obj in bpy.data.objects if obj.session_uid == self._target), None)
        if found is None:
            raise SapiensError(f"{name} is gone.", "Start again with another mesh.")
        return found


CLASSES = (SAPIENS2_OT_texture_mesh,)
