"""Settings that are saved with the file: `Scene.sapiens2`. What the artist sees in the sidebar is what is here."""

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
from bpy.types import PropertyGroup

from .avatar_queries import active_avatar
from .core.capture.settings import ClipSettings
from .core.common.settings import settings_of
from .core.formats.export_formats import batch_items
from .core.motion.settings import MotionSettings
from .core.retarget.settings import RetargetSettings
from .core.rig.settings import RigSettings
from .core.settings import AvatarSettings
from .core.surface.settings import ScanSettings
from .core.texture.settings import TextureSettings
from .infer.settings import NetworkSettings
from .setting_properties import FACES, items_of, said, shows
from .shape_properties import SapiensShape
from .step_properties import MeshTextureProperties, RigProperties, ScanProperties, TextureProperties

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import PropertyFlagItems  # the stubs have it, Blender has not

DEVICE = settings_of(NetworkSettings)["device"]

PLACES = (
    ("REPLACE", "Update", "The result takes the place of the one made from the same photo before"),
    ("NEW", "Add", "The result goes into another new collection"),
)


# Paths may be relative to the saved file; up to 4.3 every path property took such paths, and none said so.
RELATIVE: "set[PropertyFlagItems]" = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()
BATCH_EXPORTS = (("NONE", "None", "The .blend file is enough"), *batch_items())


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
    settings.more_photos.clear()  # of somebody else, perhaps


def _look_changed(_settings: PropertyGroup, context: bpy.types.Context) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def _avatar_row(_settings: PropertyGroup) -> int:
    """The row of the list of avatars, which is that of all collections of the file, filtered."""
    collection = active_avatar(bpy.context)
    return -1 if collection is None else bpy.data.collections[:].index(collection)


def _choose_avatar(settings: PropertyGroup, row: int) -> None:
    """A click on a row selects the avatar, as far as the artist is not at work on another object."""
    from .scene.people import select_avatar

    settings.avatar = bpy.data.collections[row]
    if bpy.context.mode == "OBJECT":
        select_avatar(bpy.context, settings.avatar)


@shows(NetworkSettings)
class SapiensNetwork(PropertyGroup):
    """What looks at the photo."""

    device: EnumProperty(
        name=DEVICE.label,
        description=DEVICE.description,
        items=(("default", "Preferences", "As set in the preferences"), *items_of(DEVICE)),
    )


class SapiensScan(ScanProperties, PropertyGroup):
    pass


class SapiensTexture(TextureProperties, PropertyGroup):
    pass


class SapiensMeshTexture(MeshTextureProperties, PropertyGroup):
    pass


class SapiensRig(RigProperties, PropertyGroup):
    pass


@shows(RetargetSettings)
class SapiensRetarget(PropertyGroup):
    """The armature of the artist, its bone table, and how a pose is put on it."""

    armature: PointerProperty(
        name="Armature",
        description="The armature that takes the pose",
        type=bpy.types.Object,
        poll=lambda _settings, obj: obj.type == "ARMATURE",
        update=_armature_chosen,
    )
    mute_constraints: BoolProperty(
        name="Mute Constraints", description="Mute constraints that hold the bones of the table instead of refusing"
    )
    bones: CollectionProperty(type=SapiensBone, name="Bones", description="Which bone plays which role")
    active_bone: IntProperty(name="Row", description="The row of the bone table that the buttons act on", default=0, min=0)
    family: StringProperty(name="Rig Family", description="The kind of rig that was recognized")
    confidence: FloatProperty(
        name="Confidence", description="Share of the necessary bones that were recognized", subtype="FACTOR"
    )
    problem: StringProperty(name="Problem", description="Why the armature cannot be used")
    base: StringProperty(name="Bone Table", description="What the rows do not show: twist bones and switches, as JSON")


@shows(ClipSettings)
@shows(MotionSettings)
class SapiensMotion(PropertyGroup):
    """A clip, and how it becomes motion."""

    clip: StringProperty(
        name="Clip",
        description="A video, or a folder of pictures in the order of their names",
        subtype="FILE_PATH",
        options=RELATIVE,
    )
    keep_raw: BoolProperty(
        name="Keep Raw Take", description="Also keep the motion before smoothing, on a muted track of the armature", default=True
    )
    at_cursor: BoolProperty(
        name="At Current Frame", description="The first key lies at the current frame instead of frame 1", default=False
    )


class SapiensBatch(PropertyGroup):
    """A folder of photos at once."""

    folder: StringProperty(
        name="Photos", description="The folder whose photos and videos become avatars", subtype="DIR_PATH", options=RELATIVE
    )
    output: StringProperty(
        name="Results",
        description="Where the scenes, pictures, exports, predictions and the report go",
        subtype="DIR_PATH",
        options=RELATIVE,
    )
    blend: BoolProperty(
        name="Scene", description="A .blend file for each photo or video, with scan, rig and camera", default=True
    )
    picture: BoolProperty(name="Picture", description="A picture of each result to look at", default=True)
    export: EnumProperty(name="Export", description="Also write each result in this format", items=BATCH_EXPORTS)
    retry: BoolProperty(name="Retry Failed", description="Try again what failed before; without it each keeps its reason")


class SapiensPhoto(PropertyGroup):
    """One more photo of the person."""

    path: StringProperty(name="Photo", description="Another photo of the same person", subtype="FILE_PATH", options=RELATIVE)
    gave: StringProperty(name="Outcome", description="Whether the avatar was made with it, or why not; empty: not made yet")


class SapiensLook(PropertyGroup):
    """The look through a photo, and the way back."""

    avatar: PointerProperty(
        name="Avatar", description="The avatar that is looked at through its photo", type=bpy.types.Collection
    )
    camera_before: PointerProperty(name="Camera", description="The camera of the scene before that", type=bpy.types.Object)
    scene_before: StringProperty(name="Scene Before", description="The render size before that, as JSON; empty: no look")
    view_before: StringProperty(name="View Before", description="Where the view looked from before that, as JSON")
    opacity: FloatProperty(
        name="Photo",
        description="How much the photo covers the avatar",
        subtype="FACTOR",
        min=0.0,
        max=1.0,
        default=0.4,
        update=_look_changed,
    )
    wipe: FloatProperty(
        name="Wipe",
        description="How far the photo is wiped off from the left",
        subtype="FACTOR",
        min=0.0,
        max=1.0,
        default=0.0,
        update=_look_changed,
    )
    show_pins: BoolProperty(
        name="Handles",
        description="Show handles on joints and face, to drag onto their places in the photo",
        default=True,
        update=_look_changed,
    )


@shows(AvatarSettings, only=("make",))
class SapiensSettings(PropertyGroup):
    """`Scene.sapiens2`: the reference and the result here, every step of the work in a group of its own."""

    # No FILE_PATH: its button opens a file dialog without pictures, the panel has one with them (`sapiens2.photo_open`).
    photo: StringProperty(name="Photo", description="The photograph of a person", update=_photo_chosen)
    photo_size: IntVectorProperty(name="Size", description="Width and height of the photo that the boxes are for", size=2, min=0)
    more_photos: CollectionProperty(
        type=SapiensPhoto,
        name="More Photos",
        description="Other photos of the largest person in the first: from another side, in another pose, a close-up of the face",
    )
    more_row: IntProperty(name="Row", description="The photo of the list that the buttons act on", default=0, min=0)
    image: PointerProperty(name="Image", description="An image of this file instead of one from disk", type=bpy.types.Image)
    predictions: StringProperty(
        name="Predictions",
        description="The stored predictions that the sliders rebuild from",
        subtype="FILE_PATH",
        options=RELATIVE,
    )
    boxes: CollectionProperty(type=SapiensBox, name="People", description="Where the people are in the photo")
    avatar: PointerProperty(
        name="Avatar",
        description="The avatar that the buttons act on while nothing of an avatar is selected",
        type=bpy.types.Collection,
    )
    avatar_row: IntProperty(
        name="Avatar",
        description="The avatar that every button of this tab acts on. It follows the selection, and a click selects it",
        get=_avatar_row,
        set=_choose_avatar,
        options={"SKIP_SAVE"},
    )
    place: EnumProperty(name="Result", description="Where the result goes", items=PLACES)
    match_render: BoolProperty(
        name="Match Render to Photo", description="Also set the render size and the scene's camera to those of the photo"
    )
    network: PointerProperty(type=SapiensNetwork, name="Model", description="What looks at the photo")
    scan: PointerProperty(type=SapiensScan, name="Scan", description="How the surface is made")
    shape: PointerProperty(type=SapiensShape, name="Shape", description="Who the body is: each slider changes it at once")
    texture: PointerProperty(type=SapiensTexture, name="Texture", description="How the materials are made")
    mesh_texture: PointerProperty(
        type=SapiensMeshTexture, name="Photo onto Mesh", description="How a mesh of the artist gets the photo"
    )
    rig: PointerProperty(type=SapiensRig, name="Rig", description="What the skeleton has")
    retarget: PointerProperty(
        type=SapiensRetarget, name="Retarget", description="Armature of the artist, its bone table, and how poses reach it"
    )
    motion: PointerProperty(type=SapiensMotion, name="Motion", description="A clip, and what becomes of it")
    look: PointerProperty(type=SapiensLook, name="Look", description="The look through the photo of an avatar")
    batch: PointerProperty(type=SapiensBatch, name="Batch", description="A folder of photos at once")


def make_groups(settings: PropertyGroup) -> None:
    """Let every group of the settings, and every place for an object in them, be in the file. Blender adds one when it is first
    read, and a job that reads a few of them must leave the file as it found it when it is cancelled: so they come all at once,
    with the first drawing of the sidebar."""
    for prop in settings.bl_rna.properties:
        if prop.type == "POINTER" and prop.identifier != "rna_type":
            group = getattr(settings, prop.identifier)
            if isinstance(group, PropertyGroup):
                make_groups(group)


def avatar_settings(settings: SapiensSettings, own: object | None = None) -> AvatarSettings:
    """What the sidebar asks for. own: has some of the settings too, and its values count."""
    scan, texture, rig = (
        own if isinstance(own, part) else group
        for part, group in (
            (ScanProperties, settings.scan),
            (TextureProperties, settings.texture),
            (RigProperties, settings.rig),
        )
    )
    surface = said(ScanSettings, scan)
    if scan.resolution == FACES.value:
        surface["resolution"] = scan.faces
    whole = said(AvatarSettings, settings) | said(AvatarSettings, scan) | said(AvatarSettings, rig)
    whole |= {name: None for name in ("stature", "distance") if scan.scale != name.upper()}
    return AvatarSettings(
        scan=ScanSettings(**surface),
        texture=TextureSettings(**said(TextureSettings, texture)),
        rig=RigSettings(**said(RigSettings, rig)),
        **whole,
    )


def inputs(settings: SapiensSettings) -> tuple[object, ...]:
    """What the artist has chosen for the steps to work on: what is said of a step is about these."""
    boxes = tuple((box.use, box.x1, box.y1, box.x2, box.y2) for box in settings.boxes)
    more = tuple(photo.path for photo in settings.more_photos)
    network, batch = settings.network, settings.batch
    return (
        *(settings.photo, boxes, more, network.model, network.device),
        *(settings.retarget.armature, settings.motion.clip, batch.folder, batch.output),
    )


def photo_path(settings: SapiensSettings) -> Path | None:
    """The photo on disk as an absolute path, None where none is chosen."""
    return Path(bpy.path.abspath(settings.photo)) if settings.photo else None


def more_photos(settings: SapiensSettings) -> list[Path]:
    """The other photos of the person as absolute paths."""
    return [Path(bpy.path.abspath(photo.path)) for photo in settings.more_photos if photo.path]


CLASSES = (
    SapiensBox,
    SapiensBone,
    SapiensNetwork,
    SapiensShape,
    SapiensScan,
    SapiensTexture,
    SapiensMeshTexture,
    SapiensRig,
    SapiensRetarget,
    SapiensMotion,
    SapiensBatch,
    SapiensPhoto,
    SapiensLook,
    SapiensSettings,
)
