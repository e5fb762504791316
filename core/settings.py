"""What to make of predictions and how: the settings of all stages in one. See `core.common.settings`."""

from __future__ import annotations

from dataclasses import dataclass, field

from .common.errors import SapiensError
from .common.settings import Choice, check_settings, setting
from .pose.settings import PoseSettings
from .rig.settings import RigSettings
from .surface.settings import ScanSettings
from .texture.settings import TextureSettings

MAKES = (
    Choice("avatar", "Avatar", "A whole body, closed all round, with a rig and face shape keys"),
    Choice("scan", "Scan", "The surface as the camera saw it"),
    Choice("both", "Both", "The avatar and the scan, on one rig"),
)

EXTENTS = (
    Choice("whole", "Whole Body", "The whole body; what the photo does not show is likely, and plain"),
    Choice("bust", "Bust", "Head and shoulders: chest and arms are cut off by a modifier, which can be switched off"),
)

TEXTURE_SIZES = (
    Choice(0, "None", "Plain colours"),
    Choice(1024, "1K", "1024 x 1024"),
    Choice(2048, "2K", "2048 x 2048"),
    Choice(4096, "4K", "4096 x 4096"),
)
"""What the sidebar offers; the side may be any within the range."""


@dataclass(frozen=True)
class AvatarSettings:
    """What to make and how. Each stage documents its own settings.

    known_person  file of `core.body.person.Person`, "" = whoever it is
    focal       millimetres for 35 mm film, from somebody who knows the lens: it wins over what the network and the EXIF say
    focal_35mm  the same as the photo's EXIF states it; no setting, but what the builder found in the photo
    stature, distance  one of them at most; both None = as large as the network sees the person
    keep_camera_frame  leave the camera level at the world's origin instead of standing the person on the ground
    """

    scan: ScanSettings = field(default_factory=ScanSettings)
    texture: TextureSettings = field(default_factory=TextureSettings)
    pose: PoseSettings = field(default_factory=PoseSettings)
    rig: RigSettings = field(default_factory=RigSettings)
    make: str = setting("avatar", "Make", "What to make of each person", choices=MAKES)
    known_person: str = setting(
        "",
        "Known Person",
        "File of a person who was saved before: only posture and face are found in the photo",
        open=True,
        option="person",
    )
    extent: str = setting("whole", "Extent", "How much of the avatar is shown", choices=EXTENTS)
    trust_photos: bool = setting(
        False,
        "Trust the Photos",
        "Use every photo that was given of a person, whoever it seems to show",
    )
    close: bool = setting(
        False,
        "Closed Scan",
        "One watertight mesh, for printing and sculpting: sides and back of the scan are those of the avatar",
    )
    garments: bool = setting(True, "Clothes and Hair", "Make clothes and hair as objects of their own", option="no-garments")
    one_mesh: bool = setting(
        False,
        "One Mesh",
        "Join body, clothes and hair to one mesh with one material and one set of textures, as games want them",
    )
    texture_size: int = setting(
        2048,
        "Texture Size",
        "Side of the textures of the body and of each garment; 0 makes none",
        low=256,
        high=8192,
        unit="texels",
        choices=TEXTURE_SIZES,
        unset=0,
    )
    with_rig: bool = setting(True, "Rig", "Make a skeleton and skin weights", option="no-rig")
    focal_35mm: float | None = None
    focal: float | None = setting(
        None,
        "Focal Length",
        "Focal length for 35 mm film where you know it; unless it is said, it is estimated",
        kind=float,
        low=1,
        high=10_000,
        slider=200,
        unit="mm",
    )
    stature: float | None = setting(
        None,
        "Height of Person",
        "Scale the person to this height",
        kind=float,
        low=0.3,
        high=3,
        slider=2.2,
        unit="m",
        typical=1.7,
    )
    distance: float | None = setting(
        None,
        "Distance",
        "Measured distance from the camera to the person, who is scaled to it",
        kind=float,
        low=0.1,
        high=1000,
        unit="m",
        typical=2.5,
    )
    keep_camera_frame: bool = setting(
        False, "Camera at Origin", "Leave the person where the camera saw them instead of standing them on the ground"
    )

    @property
    def needs_pose(self) -> bool:
        """Whether anything that is asked for begins with the joints of a person."""
        return self.make != "scan" or self.close or self.with_rig or self.stature is not None

    def __post_init__(self) -> None:
        check_settings(self)
        if self.stature is not None and self.distance is not None:
            raise SapiensError("The person cannot be scaled to a height and to a distance.", "Leave one of the two out.")
