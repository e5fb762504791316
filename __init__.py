"""Sapiens2 Avatar: turn photographs of people into digital humans in Blender.

In Blender this package is an extension; without Blender it is a library. Nothing is imported until it is asked for.

    predict(image, ...) -> Predictions       run the network (needs torch)
    make_avatar(predictions) -> Avatar       body, clothes, hair, textures, rig and camera (numpy arrays)
    make_scan(predictions) -> Avatar         the surface as the camera saw it
    fit_body(predictions) -> Person          the template body in the person's shape and posture
    lift_pose(predictions) -> Pose           3D joints with confidence
    clip_poses(clip) -> ClipPoses            everybody's pose in each frame of a video (needs torch)
    make_take(frames, fps) -> Take           one person's motion
    scene.build(predictions, name)           write all of it into Blender (needs bpy)
    scene.retarget(pose, armature)           pose any armature

docs/api.md has every name with its description.
"""

# public name -> the module that defines it, None for a package; tools/api_page.py makes docs/api.md of it, in this order
_PUBLIC = {
    "predict": "infer.predict",
    "Predictions": "core.common.predictions",
    "make_avatar": "core.avatar",
    "make_scan": "core.avatar",
    "make_avatars": "core.avatar",
    "AvatarSettings": "core.settings",
    "Avatar": "core.common.avatars",
    "Camera": "core.common.arrays",
    "write_ply": "core.formats.ply_and_camera",
    "write_camera_json": "core.formats.ply_and_camera",
    "fit_body": "core.body.person",
    "Person": "core.body.person",
    "BodyFit": "core.body.fitted",
    "lift_pose": "core.pose.lift",
    "PoseSettings": "core.pose.settings",
    "Pose": "core.common.arrays",
    "clip_poses": "infer.clip",
    "ClipPoses": "core.formats.clip_files",
    "make_take": "core.motion.take",
    "MotionSettings": "core.motion.settings",
    "Take": "core.motion.take",
    "write_take_bvh": "core.formats.take_bvh",
    "SapiensError": "core.common.errors",
    "core": None,
    "infer": None,
    "scene": None,
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _PUBLIC[name]
    if module is None:
        return import_module(f".{name}", __name__)
    return getattr(import_module(f".{module}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})


def register() -> None:
    from . import registration

    registration.register()


def unregister() -> None:
    from . import registration

    registration.unregister()
