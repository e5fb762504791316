"""One setting, one place: what the sidebar, the command line and the dataclass say of a setting is the same for every setting."""

import subprocess
import sys
from dataclasses import fields, replace

import pytest

from sapiens2_avatar.commands.cli import main, parser
from sapiens2_avatar.commands.options import settings_from
from sapiens2_avatar.core.capture.settings import ClipSettings
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.settings import as_arguments, settings_of, shown_settings
from sapiens2_avatar.core.motion.settings import MotionSettings
from sapiens2_avatar.core.pose.settings import PoseSettings
from sapiens2_avatar.core.retarget.settings import RetargetSettings
from sapiens2_avatar.core.rig.settings import RigSettings, SkinSettings
from sapiens2_avatar.core.settings import AvatarSettings
from sapiens2_avatar.core.surface.settings import ScanSettings
from sapiens2_avatar.core.texture.settings import DelightSettings, MeshTextureSettings, TextureSettings
from sapiens2_avatar.infer.settings import NetworkSettings

COMMANDS = {
    NetworkSettings: "predict a.jpg",
    ScanSettings: "build a.jpg -o a.blend",
    TextureSettings: "build a.jpg -o a.blend",
    AvatarSettings: "build a.jpg -o a.blend",
    RigSettings: "build a.jpg -o a.blend",
    RetargetSettings: "animate clip -o a.blend",
    MeshTextureSettings: "texture a.jpg --mesh a.blend -o b.blend",
    MotionSettings: "animate clip -o a.blend",
    ClipSettings: "animate clip -o a.blend",
}
"""Settings that people choose -> a command that has an option for each."""
EVERY = [(cls, name) for cls in (*COMMANDS, PoseSettings, SkinSettings, DelightSettings) for name in settings_of(cls)]
SHOWN = [(cls, name) for cls in COMMANDS for name in shown_settings(cls)]
OUTSIDE = [(cls, name) for cls, name in SHOWN if settings_of(cls)[name].kind is not bool and not settings_of(cls)[name].open]
NOT_SETTINGS = {"scan", "texture", "pose", "rig", "delight", "focal_35mm"}
"""Groups of settings, and what is read from the photo."""


def named(pairs):
    return pytest.mark.parametrize(("cls", "name"), pairs, ids=[f"{cls.__name__}.{name}" for cls, name in pairs])


@named(EVERY)
def test_every_setting_has_words_and_a_default_within_its_range(cls, name):
    known = settings_of(cls)[name]
    assert known.label and known.description and not known.description.endswith(".")
    assert known.low <= known.high and known.accepts(known.default) and getattr(cls(), name) == known.default
    if known.typical is not None:
        assert known.low <= known.typical <= known.high
    with pytest.raises(SapiensError) as refused:
        replace(cls(), **{name: object()})
    assert refused.value.message.startswith(f"{known.label} must be ") and refused.value.hint


def test_every_field_of_a_settings_class_is_a_setting():
    classes = {cls for cls, _ in EVERY}
    assert [f.name for cls in classes for f in fields(cls) if f.name not in settings_of(cls) and f.name not in NOT_SETTINGS] == []


@named(SHOWN)
def test_the_option_of_every_setting_says_what_the_setting_says(cls, name):
    known = settings_of(cls)[name]
    options = parser().parse_args(COMMANDS[cls].split())
    assert settings_from(cls, options) == cls()
    group = next(action for action in parser()._actions if isinstance(action.choices, dict)).choices[COMMANDS[cls].split()[0]]
    option = next(action for action in group._actions if action.dest == name)
    assert option.option_strings == [known.flag(name)] and option.default == known.default
    assert known.description[1:] in option.help.replace("%%", "%")


@named(OUTSIDE)
def test_a_value_out_of_range_leaves_with_2_and_names_the_range(cls, name, capsys):
    known = settings_of(cls)[name]
    for text in ("sideways", *(["-1", "nan"] if known.ranged else [])):
        assert main([*COMMANDS[cls].split(), f"{known.flag(name)}={text}"]) == 2
        said = capsys.readouterr().err
        assert known.flag(name) in said and repr(text) in said
        words = [known.expected()] if known.ranged else map(str, known.values)
        assert name == "tasks" or all(word in said for word in words)


def test_settings_survive_the_way_over_the_command_line():
    for cls, changed in (
        (ScanSettings, ScanSettings(detail=0.25, resolution=5000, quads=True)),
        (TextureSettings, TextureSettings(colour="photo", displacement=True, bake=2048)),
        (AvatarSettings, AvatarSettings(with_rig=False, focal=35.0, stature=1.75, keep_camera_frame=True)),
        (MotionSettings, MotionSettings(smoothness=1.0, person=2, lock_feet=False)),
        (ClipSettings, ClipSettings(fps=12.5, start=1.5, end=3.0)),
        (RetargetSettings, RetargetSettings(hips="none", face_gain=0.0)),
        (NetworkSettings, NetworkSettings("1b", ("pose", "seg"), "cuda:1", "float16", False, True)),
    ):
        options = parser().parse_args([*COMMANDS[cls].split(), *as_arguments(changed)])
        assert settings_from(cls, options) == changed and as_arguments(cls()) == []


def test_the_grammar_loads_nothing_heavy():
    code = (
        "import sys; from sapiens2_avatar.commands.cli import parser; parser(); "
        "heavy = {'numpy', 'torch', 'scipy', 'cv2', 'PIL', 'bpy', 'safetensors', 'huggingface_hub'}; "
        "print(*sorted({m.split('.')[0] for m in sys.modules} & heavy))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""
