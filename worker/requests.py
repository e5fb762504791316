"""What the worker can be asked: one typed request for each of its jobs, which travels as plain JSON.

`to_json` and `from_json` are our own, since Blender's Python has numpy and the standard library only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints

from ..core.common.errors import SapiensError
from ..core.common.pins import Pin
from ..core.common.progress import Progress
from ..core.motion.settings import MotionSettings
from ..core.settings import AvatarSettings
from ..core.texture.settings import MeshTextureSettings, TextureSettings
from ..infer.settings import NetworkSettings

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels of the upright photo."""
T = TypeVar("T")
UPDATED = "Restart Blender after an update."
"""What to do where Blender and its worker are of two versions."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What all requests are.

    job  name of the job, the same on both sides of the pipe
    """

    job: ClassVar[str]


@dataclass(frozen=True, kw_only=True)
class PredictRequest(Request):
    """Run the network on `photo` and write the predictions file `output`.

    boxes  one for each person; None = look for people
    """

    job: ClassVar[str] = "predict"
    photo: Path
    output: Path
    network: NetworkSettings = field(default_factory=NetworkSettings)
    boxes: tuple[Box, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class BuildRequest(Request):
    """Make the avatars of a predictions file and write them to `output`.

    previews  folder for small pictures of the maps, unless they are there already
    photo     where the predictions come from; its EXIF may state the lens, unless the settings do
    others    predictions files of other photos of the largest person
    pins      keypoints that the artist has put where they are in the photo
    """

    job: ClassVar[str] = "build"
    predictions: Path
    name: str
    output: Path
    settings: AvatarSettings = field(default_factory=AvatarSettings)
    previews: Path | None = None
    photo: Path | None = None
    others: tuple[Path, ...] = ()
    pins: tuple[Pin, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunRequest(Request):
    """`predict`, then `build` of the predictions file that it writes.

    others  the same for other photos of the largest person; predictions that are there already are not made again
    """

    job: ClassVar[str] = "run"
    predict: PredictRequest
    build: BuildRequest
    others: tuple[PredictRequest, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ImportRequest(Request):
    """Build every scene that the files hold: predictions of ours, and outputs of the demo scripts.

    store          folder for the predictions that are made of demo outputs
    output         folder for the avatars and previews
    photo, beside  the photo of the demo outputs, and where to look for more of them: see `core.formats.import_groups.group_files`
    """

    job: ClassVar[str] = "import_files"
    files: tuple[Path, ...]
    store: Path
    output: Path
    settings: AvatarSettings = field(default_factory=AvatarSettings)
    photo: Path | None = None
    beside: bool = True


@dataclass(frozen=True, kw_only=True)
class FindRequest(Request):
    """Look for the people in a photo."""

    job: ClassVar[str] = "find"
    photo: Path
    network: NetworkSettings = field(default_factory=NetworkSettings)


@dataclass(frozen=True, kw_only=True)
class PoseRequest(Request):
    """The 3D joints of one person of a predictions file, written to `output`. person: counted from 0 from the left."""

    job: ClassVar[str] = "pose"
    predictions: Path
    output: Path
    person: int = 0


@dataclass(frozen=True, kw_only=True)
class TextureRequest(Request):
    """The photo of a predictions file as the texture of a mesh of the artist, written to `output`.

    mesh    file of a `core.texture.artist_mesh.ArtistMesh`
    look    how colours are made
    others  predictions files of other photos of the same person
    """

    job: ClassVar[str] = "texture"
    predictions: Path
    mesh: Path
    output: Path
    settings: MeshTextureSettings = field(default_factory=MeshTextureSettings)
    look: TextureSettings = field(default_factory=TextureSettings)
    others: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class KeypointsRequest(Request):
    """The 3D joints of one person in another program's keypoint file, written to `output`.

    size  (width, height) of the photo that the keypoints belong to; None = as the file says
    """

    job: ClassVar[str] = "keypoints"
    file: Path
    output: Path
    person: int = 0
    size: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class AnimateRequest(Request):
    """The motion of one person of a clip, written to `output`.

    fps, start, end, size  see `infer.clip.clip_poses`; end: seconds, None = the end of the clip
    poses                  file that the poses of all frames are kept in: while it can be read, neither clip nor network is needed
    keep                   folder for the predictions of the frames
    best                   file for the predictions of the frame that shows most of a person
    """

    job: ClassVar[str] = "animate"
    clip: Path
    output: Path
    settings: MotionSettings = field(default_factory=MotionSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    fps: float | None = None
    start: float = 0.0
    end: float | None = None
    size: tuple[int, int] | None = None
    poses: Path | None = None
    keep: Path | None = None
    best: Path | None = None


@dataclass(frozen=True, kw_only=True)
class DownloadRequest(Request):
    """Fetch the weights of a model for the tasks, None = all that were published."""

    job: ClassVar[str] = "download"
    model: str
    online: bool
    accept_licence: bool
    tasks: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class ImportWeightsRequest(Request):
    """Take weights from a file or folder of this computer. link: refer to the files instead of copying them."""

    job: ClassVar[str] = "import"
    path: Path
    link: bool
    accept_licence: bool


Jobs = dict[type[Request], Callable[[Any, Progress], dict]]
"""Which function does what is asked: called with the request and `progress`, it returns what goes into the `done` message."""


def to_json(value: Any) -> Any:
    """A request, or what is in one, as JSON can hold it: dataclasses as objects of their fields, tuples as lists,
    paths as strings."""
    if is_dataclass(value):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, (tuple, list)):
        return [to_json(part) for part in value]
    return str(value) if isinstance(value, Path) else value


def from_json(kind: type[T], values: Any) -> T:
    """What `to_json` made an object of: a request, or settings. Fields that are left out have their defaults.

    Raises SapiensError for a field that is unknown, missing, or of another type.
    """
    name = kind.__name__
    if not isinstance(values, dict):
        raise SapiensError(f"{name} must be an object, not {values!r}.", UPDATED)
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    if unknown := sorted(values.keys() - known.keys()):
        raise SapiensError(f"{name} has no field {', '.join(unknown)}.", UPDATED)
    needed = {f.name for f in known.values() if f.default is MISSING and f.default_factory is MISSING}
    if missing := sorted(needed - values.keys()):
        raise SapiensError(f"{name} needs a value for {', '.join(missing)}.", UPDATED)
    hints = _hints(kind)
    return kind(**{field_name: _read(hints[field_name], value, f"{name}.{field_name}") for field_name, value in values.items()})


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Field -> type."""
    return get_type_hints(kind)


def _read(hint: Any, value: Any, where: str) -> Any:
    """A value of JSON as the type that a hint asks for. Raises SapiensError where it is of another one."""
    if is_dataclass(hint):
        return from_json(hint, value)  # type: ignore[arg-type]  # of a field it is a class, never an instance
    if get_origin(hint) in (Union, UnionType):
        if value is None and NoneType in get_args(hint):
            return None
        choices = [choice for choice in get_args(hint) if choice is not NoneType]
        hint = choices[0] if len(choices) == 1 else next((choice for choice in choices if type(value) is choice), choices[0])
        return _read(hint, value, where)
    if get_origin(hint) is tuple and isinstance(value, (list, tuple)):
        parts = get_args(hint)
        if parts[-1] is Ellipsis:
            parts = parts[:1] * len(value)
        if len(parts) == len(value):
            return tuple(_read(part, item, where) for part, item in zip(parts, value, strict=True))
    elif hint is Path and isinstance(value, str):
        return Path(value)
    elif hint is float and type(value) in (int, float):
        return float(value)
    elif type(value) is hint:
        return value
    raise SapiensError(f"{where} cannot be {value!r}.", UPDATED)
