"""Requests on their way through the pipe: what arrives is what was sent, and what is not understood is one sentence."""

import math
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import ClassVar, get_type_hints

import pytest

from sapiens2_avatar.core.avatar import AvatarSettings
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.motion.take import MotionSettings
from sapiens2_avatar.core.pose.lift import PoseSettings
from sapiens2_avatar.core.rig.metarig import RigSettings
from sapiens2_avatar.core.surface.scan import ScanSettings
from sapiens2_avatar.core.texture.settings import MeshTextureSettings
from sapiens2_avatar.worker import requests
from sapiens2_avatar.worker.jobs import JOBS
from sapiens2_avatar.worker.protocol import decode, encode

NETWORK = requests.NetworkSettings(
    model="1b", tasks=("pose", "seg"), device="cuda:1", precision="float16", flip_test=False, draft=True
)
AVATAR = AvatarSettings(
    scan=ScanSettings(detail=0.25, resolution=2000),
    pose=PoseSettings(doubt=(0.4, 0.7)),
    rig=RigSettings(rest="A"),
    stature=1.8,
    with_rig=False,
)
PREDICT = requests.PredictRequest(
    photo=Path("/a ü/b.jpg"), output=Path("p"), network=NETWORK, boxes=((1.0, 2.5, 3.0, 4.0), (5.0, 6.0, 7.0, 8.0))
)
PINS = (requests.Pin(person=1, keypoint="left_wrist", x=10.5, y=2.0),)
BUILD = requests.BuildRequest(
    predictions=Path("p"), name="Anna", output=Path("o"), settings=AVATAR, previews=Path("v"), pins=PINS
)
EXAMPLES = (
    PREDICT,
    requests.PredictRequest(photo=Path("a"), output=Path("b")),
    BUILD,
    requests.RunRequest(predict=PREDICT, build=BUILD),
    requests.ImportRequest(files=(Path("a"), Path("b")), store=Path("s"), output=Path("o"), settings=AVATAR, beside=False),
    requests.FindRequest(photo=Path("a"), network=NETWORK),
    requests.PoseRequest(predictions=Path("p"), output=Path("o"), person=2),
    requests.TextureRequest(
        predictions=Path("p"), mesh=Path("m"), output=Path("o"), settings=MeshTextureSettings(size=512), others=(Path("q"),)
    ),
    requests.KeypointsRequest(file=Path("k.json"), output=Path("o"), size=(1920, 1080)),
    requests.AnimateRequest(
        clip=Path("c"), output=Path("o"), settings=MotionSettings(smoothness=0.9), fps=29.97, end=3.5, keep=Path("k")
    ),
    requests.DownloadRequest(model="1b", online=True, accept_licence=False, tasks=("matting",)),
    requests.ImportWeightsRequest(path=Path("w"), link=True, accept_licence=True),
)


@pytest.mark.parametrize("request_", EXAMPLES, ids=lambda found: type(found).__name__)
def test_what_arrives_is_what_was_sent(request_):
    line = encode("run", id=1, job=request_.job, arguments=requests.to_json(request_))
    arrived = requests.from_json(type(request_), decode(line)["arguments"])
    assert arrived == request_
    assert repr(arrived) == repr(request_)  # of the same types, too


def test_every_request_has_an_example_a_job_and_a_name_of_its_own():
    kinds = set(JOBS)
    assert {type(example) for example in EXAMPLES} == kinds == set(requests.Request.__subclasses__()) - _of_other_tests()
    assert len({kind.job for kind in kinds}) == len(kinds)


def _of_other_tests() -> set[type]:
    return {kind for kind in requests.Request.__subclasses__() if kind.__module__ != requests.__name__}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"colour": "red", "zoom": 2}, "PoseRequest has no field colour, zoom."),
        ({"output": None}, "PoseRequest.output cannot be None."),
        ({"person": "first"}, "PoseRequest.person cannot be 'first'."),
        ({"person": True}, "PoseRequest.person cannot be True."),
        ({"predictions": 3}, "PoseRequest.predictions cannot be 3."),
    ],
)
def test_what_is_not_understood_is_one_sentence(changes, sentence):
    values = {"predictions": "p", "output": "o", "person": 0} | changes
    with pytest.raises(SapiensError) as raised:
        requests.from_json(requests.PoseRequest, values)
    assert (raised.value.message, raised.value.hint) == (sentence, "Restart Blender after an update.")


@pytest.mark.parametrize(
    ("kind", "values", "sentence"),
    [
        (requests.PoseRequest, {"person": 1}, "PoseRequest needs a value for output, predictions."),
        (requests.PoseRequest, [1], r"PoseRequest must be an object, not \[1\]."),
        (requests.KeypointsRequest, {"file": "f", "output": "o", "size": [1]}, r"KeypointsRequest.size cannot be \[1\]."),
        (requests.FindRequest, {"photo": "a", "network": {"modell": "1b"}}, "NetworkSettings has no field modell."),
        (AvatarSettings, {"scan": {"detail": "much"}}, "ScanSettings.detail cannot be 'much'."),
        (AvatarSettings, {"scan": {"detail": 7}}, "Detail must be a number from 0 to 1, not 7."),
    ],
)
def test_missing_and_nested_values_are_named(kind, values, sentence):
    with pytest.raises(SapiensError, match=sentence):
        requests.from_json(kind, values)


def test_numbers_that_json_does_not_have_never_reach_the_pipe():
    endless = requests.AnimateRequest(clip=Path("c"), output=Path("o"), end=math.inf)
    with pytest.raises(ValueError, match="JSON"):
        encode("run", id=1, job=endless.job, arguments=requests.to_json(endless))


def test_every_field_of_every_request_is_of_a_kind_that_can_be_read():
    """A field of a new kind must not be found out by the artist."""
    seen = set()

    def check(kind: type) -> None:
        for name, hint in requests._hints(kind).items():
            if name in {f.name for f in fields(kind)}:
                for part in _leaves(hint):
                    assert part in (str, int, float, bool, Path, type(None), Ellipsis) or is_dataclass(part), (kind, name, part)
                    if is_dataclass(part) and part not in seen:
                        seen.add(part)
                        check(part)

    for kind in JOBS:
        check(kind)
    assert {AvatarSettings, MotionSettings, ScanSettings, PoseSettings, RigSettings} <= seen
    assert get_type_hints(requests.Request) == {"job": ClassVar[str]}


def _leaves(hint: object) -> list:
    from typing import get_args

    return [leaf for part in get_args(hint) for leaf in _leaves(part)] or [hint]
