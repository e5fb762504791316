"""Settings that are saved with the file: `Scene.sapiens2`. What the artist sees in the sidebar is what is here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    IntVectorProperty,
    PointerProperty,
    StringProperty,
)
from bpy.types import PropertyGroup, UILayout

from .preference_values import DEVICES
from .weights.catalogue import CHOICES

if TYPE_CHECKING:
    from .core.avatar import AvatarSettings

MODELS = tuple((model, name, text) for model, (name, text) in CHOICES.items())
RESOLUTIONS = (
    ("FULL", "Full", "A vertex for every pixel that the network saw"),
    ("HALF", "Half", "A vertex for every second pixel of that, four times fewer faces"),
    ("PHOTO", "Photo", "A vertex for every pixel of the photo, however large it is"),
    ("FACES", "Face Count", "Decimated to about this number of triangles"),
)
SCALES = (
    ("PREDICTED", "As Predicted", "As large as the network sees the person"),
    ("STATURE", "Height of Person", "Scaled to a height that you know"),
    ("DISTANCE", "Distance", "Scaled to a measured distance from the camera to the person"),
)
BAKES = (
    ("0", "Photo", "The photo's own projection: exact, and nothing is resampled"),
    ("1024", "Atlas, 1024", "Unfolded without overlap, more texels for face and hands, 1024 x 1024"),
    ("2048", "Atlas, 2048", "Unfolded without overlap, more texels for face and hands, 2048 x 2048"),
    ("4096", "Atlas, 4096", "Unfolded without overlap, more texels for face and hands, 4096 x 4096"),
)
COLOURS = (
    ("auto", "Best Available", "Albedo where the network has it, else the photo without its light, else the photo"),
    ("albedo", "Albedo", "The base color that the network sees"),
    ("delighted", "Delighted Photo", "The photo with its light taken out by means of the normals"),
    ("photo", "Photo", "The photo as it is"),
)
RESTS = (
    ("photo", "As in Photo", "The rest pose is the pose in the photo: the scan lies on its pixels"),
    ("A", "A-Pose", "Arms 45 degrees down; the pose in the photo is kept as an action"),
    ("T", "T-Pose", "Arms straight to the sides; the pose in the photo is kept as an action"),
)
PLACES = (
    ("REPLACE", "Update", "The result takes the place of the one made from the same photo before"),
    ("NEW", "Add", "The result goes into another new collection"),
)


# Paths may be relative to the saved file; up to 4.3 every path property took such paths, and none said so.
RELATIVE = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()
BATCH_EXPORTS = (
    ("NONE", "None", "The .blend file is enough"),
    ("glb", "glTF", "A .glb file of each result"),
    ("fbx", "FBX", "An .fbx file of each result"),
    ("usdc", "USD", "A .usdc file of each result"),
)


class SapiensBox(PropertyGroup):
    """A person's place in the photo, pixels from the upper left corner."""

    use: BoolProperty(name="Use", description="Make this person", default=True)
    x1: FloatProperty(name="Left", description="Left edge in pixels", min=0.0)
    y1: FloatProperty(name="Top", description="Upper edge in pixels", min=0.0)
    x2: FloatProperty(name="Right", description="Right edge in pixels", min=0.0)
    y2: FloatProperty(name="Bottom", description="Lower edge in pixels", min=0.0)


class SapiensBone(PropertyGroup):
    """A row of the bone table: which bone of the armature plays a role. `name` is the role for people."""

    role: StringProperty(name="Role", description="What this bone is for")
    bone: StringProperty(name="Bone", description="The bone of the armature that plays this role; empty: none")


def _armature_chosen(settings: PropertyGroup, _context: bpy.types.Context) -> None:
    from .bone_table_rows import refresh

    refresh(settings)


def _photo_chosen(settings: PropertyGroup, _context: bpy.types.Context) -> None:
    settings.boxes.clear()


class ScanProperties:
    """How a scan is built. Mixed into what is saved with the file, and into the operator that builds it again; the sidebar and the
    redo panel draw it alike."""

    resolution: EnumProperty(name="Resolution", description="How fine the mesh is", items=RESOLUTIONS)
    faces: IntProperty(name="Faces", description="Triangles to aim for", default=50_000, min=100, soft_max=1_000_000)
    refine: FloatProperty(
        name="Detail", description="0: the shape of the pointmap alone; 1: the normal map leads", default=0.5, min=0.0, max=1.0
    )
    quads: BoolProperty(name="Quads", description="Quads instead of triangles; a face count gives triangles", default=False)
    scale: EnumProperty(name="Scale", description="How large the person is", items=SCALES)
    distance: FloatProperty(
        name="Distance",
        description="Measured distance from the camera to the person",
        default=2.5,
        min=0.1,
        max=1000.0,
        unit="LENGTH",
    )
    stature: FloatProperty(
        name="Height of Person",
        description="Scale the person to this height",
        default=1.7,
        min=0.3,
        max=3.0,
        soft_max=2.2,
        unit="LENGTH",
    )
    focal: FloatProperty(
        name="Lens",
        description="Focal length for 35 mm film where you know it; 0: estimated",
        min=0.0,
        soft_max=200.0,
        unit="CAMERA",
    )
    keep_camera_frame: BoolProperty(
        name="Camera at Origin", description="Leave the scan where the camera saw it instead of standing it on the ground"
    )

    def draw_scan(self, layout: UILayout) -> None:
        layout.prop(self, "resolution")
        if self.resolution == "FACES":
            layout.prop(self, "faces")
        quads = layout.row()
        quads.enabled = self.resolution != "FACES"
        quads.prop(self, "quads")
        layout.prop(self, "refine", slider=True)
        layout.prop(self, "scale")
        if self.scale != "PREDICTED":
            layout.prop(self, self.scale.lower())
        layout.prop(self, "focal")
        layout.prop(self, "keep_camera_frame")


class TextureProperties:
    """How textures are made, mixed in like `ScanProperties`."""

    colour: EnumProperty(name="Base Color", description="What the color texture is made of", items=COLOURS)
    displacement: BoolProperty(
        name="Displacement Map",
        description="Also make a 32-bit map of the distance in meters from the mesh to the surface that the network saw, for coarse meshes",
    )
    bake: EnumProperty(name="Texture Layout", description="Where the textures lie", items=BAKES)

    def draw_texture(self, layout: UILayout) -> None:
        layout.prop(self, "colour")
        layout.prop(self, "bake")
        layout.prop(self, "displacement")


class RigProperties:
    """How a rig is made, mixed in like `ScanProperties`."""

    with_rig: BoolProperty(name="Rig", description="Make a skeleton and skin weights", default=True)
    rest: EnumProperty(name="Rest Pose", description="The pose of the skeleton and the scan at rest", items=RESTS)

    def draw_rig(self, layout: UILayout) -> None:
        layout.prop(self, "with_rig", text="Make Rig")
        rest = layout.row()
        rest.enabled = self.with_rig
        rest.prop(self, "rest")


class SapiensSettings(ScanProperties, TextureProperties, RigProperties, PropertyGroup):
    photo: StringProperty(
        name="Photo", description="The photograph of a person", subtype="FILE_PATH", options=RELATIVE, update=_photo_chosen
    )
    photo_size: IntVectorProperty(name="Size", description="Width and height of the photo that the boxes are for", size=2, min=0)
    image: PointerProperty(name="Image", description="An image of this file instead of one from disk", type=bpy.types.Image)
    predictions: StringProperty(
        name="Predictions",
        description="The stored predictions that the sliders rebuild from",
        subtype="FILE_PATH",
        options=RELATIVE,
    )
    boxes: CollectionProperty(type=SapiensBox, name="People", description="Where the people are in the photo")

    model: EnumProperty(name="Model", description="The network that looks at the photo", items=MODELS)
    device: EnumProperty(name="Device", description="What the network runs on", items=(("default", "Preferences", "As set in the preferences"), *DEVICES))  # fmt: skip
    precision: EnumProperty(
        name="Precision",
        description="Number format of the network",
        items=(
            ("auto", "Automatic", "The fastest that is exact enough on the device; depth is in 32 bits"),
            ("float32", "Full", "32 bits: exact and slow"),
            ("bfloat16", "Half (bfloat16)", "16 bits: half the memory, and depth in coarse steps of millimeters"),
            ("float16", "Half (float16)", "16 bits: half the memory, finer steps than bfloat16, but large values overflow"),
        ),
    )
    flip: BoolProperty(
        name="Look Twice",
        description="Also look at the mirrored photo and average the keypoints: slower, steadier",
        default=True,
    )

    place: EnumProperty(name="Result", description="Where the result goes", items=PLACES)
    armature: PointerProperty(
        name="Armature",
        description="The armature that takes the pose",
        type=bpy.types.Object,
        poll=lambda _settings, obj: obj.type == "ARMATURE",
        update=_armature_chosen,
    )
    face_gain: FloatProperty(
        name="Face",
        description="How far the jaw opens and the eyes turn, where the armature has bones for them; 0 leaves them alone",
        default=1.0,
        min=0.0,
        max=5.0,
        soft_max=2.0,
    )
    hips_travel: EnumProperty(
        name="Hips",
        description="How far the armature follows the person through the room",
        items=(
            ("move", "Travel", "Along the person's path, scaled by leg length"),
            ("height", "Up and Down", "On the spot"),
            ("none", "Stay", "Only rotations are written"),
        ),
    )
    mute_constraints: BoolProperty(
        name="Mute Constraints", description="Mute constraints that hold the bones of the table instead of refusing"
    )
    clip: StringProperty(
        name="Clip",
        description="A video, or a folder of pictures in the order of their names",
        subtype="FILE_PATH",
        options=RELATIVE,
    )
    smoothness: FloatProperty(
        name="Smoothness", description="0: as the network sees it; 1: floating", default=0.4, min=0.0, max=1.0, subtype="FACTOR"
    )
    motion_start: FloatProperty(
        name="Start", description="Seconds of the clip that are left out at the beginning", min=0.0, unit="TIME_ABSOLUTE"
    )
    motion_end: FloatProperty(
        name="End", description="Where to stop, in seconds of the clip; 0: at its end", min=0.0, unit="TIME_ABSOLUTE"
    )
    motion_fps: FloatProperty(
        name="Frame Rate",
        description="Frames per second of a folder of pictures; a video knows its own",
        default=25.0,
        min=0.1,
        max=1000.0,
    )
    motion_person: IntProperty(name="Person", description="1: who is seen longest, 2: the next, and so on", default=1, min=1)
    lock_feet: BoolProperty(
        name="Lock Feet", description="Feet that stand do not slide, on the person and on the armature", default=True
    )
    keep_raw: BoolProperty(
        name="Keep Raw Take", description="Also keep the motion before smoothing, on a muted track of the armature", default=True
    )
    motion_at_cursor: BoolProperty(
        name="At Current Frame", description="The first key lies at the current frame instead of frame 1", default=False
    )
    bones: CollectionProperty(type=SapiensBone, name="Bones", description="Which bone plays which role")
    active_bone: IntProperty(name="Row", description="The row of the bone table that the buttons act on", default=0, min=0)
    bone_family: StringProperty(name="Rig Family", description="The kind of rig that was recognized")
    bone_confidence: FloatProperty(
        name="Confidence", description="Share of the necessary bones that were recognized", subtype="FACTOR"
    )
    bone_problem: StringProperty(name="Problem", description="Why the armature cannot be used")
    bone_base: StringProperty(name="Bone Table", description="What the rows do not show: twist bones and switches, as JSON")
    batch_folder: StringProperty(
        name="Photos", description="The folder whose photos and videos become avatars", subtype="DIR_PATH", options=RELATIVE
    )
    batch_output: StringProperty(
        name="Results",
        description="Where the scenes, pictures, exports, predictions and the report go",
        subtype="DIR_PATH",
        options=RELATIVE,
    )
    batch_blend: BoolProperty(
        name="Scene", description="A .blend file for each photo or video, with scan, rig and camera", default=True
    )
    batch_picture: BoolProperty(name="Picture", description="A picture of each result to look at", default=True)
    batch_export: EnumProperty(name="Export", description="Also write each result in this format", items=BATCH_EXPORTS)
    batch_retry: BoolProperty(name="Retry Failed", description="Try again what failed before; without it each keeps its reason")
    match_render: BoolProperty(
        name="Match Render to Photo", description="Also set the render size and the scene's camera to those of the photo"
    )


def avatar_settings(
    settings: SapiensSettings, own: ScanProperties | TextureProperties | RigProperties | None = None
) -> AvatarSettings:
    """What the sidebar asks the builder of avatars for.

    own  has some of the settings too: its values count
    """
    from .core.avatar import AvatarSettings
    from .core.rig.metarig import RigSettings
    from .core.surface.scan import ScanSettings
    from .core.texture.textures import TextureSettings

    scan, texture, rig = (
        own if isinstance(own, part) else settings for part in (ScanProperties, TextureProperties, RigProperties)
    )
    return AvatarSettings(
        scan=ScanSettings(
            resolution=scan.faces if scan.resolution == "FACES" else scan.resolution.lower(),
            refine=scan.refine,
            quads=scan.quads,
        ),
        texture=TextureSettings(colour=texture.colour, displacement=texture.displacement, bake=int(texture.bake)),
        rig=RigSettings(rest=rig.rest),
        with_rig=rig.with_rig,
        keep_camera_frame=scan.keep_camera_frame,
        stature=scan.stature if scan.scale == "STATURE" else None,
        distance=scan.distance if scan.scale == "DISTANCE" else None,
        typed_35mm=scan.focal if scan.focal > 0 else None,
    )


def matched_camera(context: bpy.types.Context) -> dict | None:
    """What is known of the lens of the avatar that the artist means: the fields of `core.common.arrays.Camera`, and `focal_lengths`, source ->
    pixels. None where there is no avatar."""
    from .scene.build import CAMERA, active_collection

    collection = active_collection(context, context.scene.sapiens2.predictions)
    camera = next((obj for obj in collection.objects if CAMERA in obj), None) if collection is not None else None
    return None if camera is None else json.loads(camera[CAMERA])


def has_result(context: bpy.types.Context) -> bool:
    """Whether the scene holds what was made from the current predictions."""
    from .scene.build import find_collection

    return find_collection(context.scene, context.scene.sapiens2.predictions) is not None


def avatar_rigs(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The rigs of the avatar that the artist means, one for each person who has one."""
    from .scene.build import ROLE, active_collection

    collection = active_collection(context, context.scene.sapiens2.predictions)
    return [obj for obj in collection.all_objects if obj.get(ROLE) == "rig"] if collection is not None else []


def is_photo_pose(context: bpy.types.Context) -> bool:
    """Whether a rig of the avatar that the artist means lies as in the photo."""
    from .scene.photo_pose import photo_pose_shown

    return any(photo_pose_shown(rig) for rig in avatar_rigs(context))


def rig_doubts(context: bpy.types.Context) -> list[str]:
    """What is doubtful about the rigs of the avatar that the artist means, in sentences; empty where the network was sure."""
    from .scene.armature import DOUBT

    return list(dict.fromkeys(rig[DOUBT] for rig in avatar_rigs(context) if DOUBT in rig))


def photo_path(settings: SapiensSettings) -> Path | None:
    """The photo on disk as an absolute path, None where none is chosen."""
    return Path(bpy.path.abspath(settings.photo)) if settings.photo else None


CLASSES = (SapiensBox, SapiensBone, SapiensSettings)
