"""How each step of a build is made: mixed into what is saved with the file, and into the operators that do a step again."""

from bpy.props import EnumProperty, IntProperty
from bpy.types import UILayout

from .core.common.settings import settings_of
from .core.rig.settings import RigSettings
from .core.settings import AvatarSettings
from .core.surface.settings import ScanSettings
from .core.texture.settings import MeshTextureSettings, TextureSettings
from .setting_properties import FACES, draw_or_automatic, shows

SCALES = (
    ("PREDICTED", "As Predicted", "As large as the model sees the person"),
    ("STATURE", "Height of Person", "Scaled to a height that you know"),
    ("DISTANCE", "Distance", "Scaled to a measured distance from the camera to the person"),
)

RESOLUTION = settings_of(ScanSettings)["resolution"]


@shows(AvatarSettings, but=("make", "with_rig"))
@shows(ScanSettings)
class ScanProperties:
    """How an avatar and a scan are built. Mixed into what is saved with the file, and into the operator that builds them again;
    the sidebar, in the panels Avatar and Scan, and the redo panel draw them alike."""

    faces: IntProperty(
        name="Faces",
        description="Triangles to aim for",
        default=50_000,
        min=int(RESOLUTION.low),
        soft_min=100,
        soft_max=1_000_000,
    )
    scale: EnumProperty(name="Scale", description="How large the person is", items=SCALES)

    def draw_avatar(self, layout: UILayout) -> None:
        """What counts for a body with its clothes, and for where any result stands."""
        layout.prop(self, "extent")
        layout.prop(self, "garments")
        layout.prop(self, "one_mesh")
        layout.prop(self, "texture_size")
        layout.separator()  # where it stands, and how large it is
        layout.prop(self, "scale")
        if self.scale != "PREDICTED":
            layout.prop(self, self.scale.lower())
        draw_or_automatic(layout, self, "focal", 50.0)
        layout.prop(self, "keep_camera_frame")
        layout.separator()  # who it is
        layout.prop(self, "trust_photos")
        layout.prop(self, "known_person", icon="COMMUNITY")

    def draw_scan(self, layout: UILayout) -> None:
        """What counts for the surface as the camera saw it, and for nothing else."""
        layout.prop(self, "resolution")
        if self.resolution == FACES.value:
            layout.prop(self, "faces")
        quads = layout.row()
        quads.enabled = self.resolution != FACES.value
        quads.prop(self, "quads")
        layout.prop(self, "detail", slider=True)
        layout.prop(self, "close")

    def draw_all(self, layout: UILayout) -> None:
        self.draw_avatar(layout)
        layout.separator()
        self.draw_scan(layout)


@shows(TextureSettings)
class TextureProperties:
    """How textures are made, mixed in like `ScanProperties`."""

    def draw_texture(self, layout: UILayout) -> None:
        layout.prop(self, "colour")
        layout.prop(self, "bake")
        layout.prop(self, "displacement")


@shows(MeshTextureSettings)
class MeshTextureProperties:
    """How a mesh of the artist gets the photo, mixed in like `ScanProperties`."""

    def draw_mesh_texture(self, layout: UILayout) -> None:
        layout.prop(self, "size")
        layout.prop(self, "symmetry")
        layout.prop(self, "new_uvs")


@shows(AvatarSettings, only=("with_rig",))
@shows(RigSettings)
class RigProperties:
    """How a rig is made, mixed in like `ScanProperties`."""

    def draw_rig(self, layout: UILayout) -> None:
        layout.prop(self, "with_rig", text="Make Rig")
        rest = layout.row()
        rest.enabled = self.with_rig
        rest.prop(self, "rest")
