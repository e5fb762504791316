"""Sapiens2 Avatar: turn photographs of people into digital humans in Blender.

In Blender this package is an extension; without Blender it is a library. Nothing is imported until it is asked for.

    predict(image, ...) -> Predictions       run the network (needs torch)
    make_scan(predictions) -> Avatar         mesh, camera and textures (numpy arrays)
    lift_pose(predictions) -> Pose           3D joints with confidence
    scene.build(predictions, name)           write all of it into Blender (needs bpy)
    scene.retarget(pose, armature)           pose any armature
"""

_PUBLIC = {
    "Predictions": "core.common.predictions",
    "Camera": "core.common.arrays",
    "Pose": "core.common.arrays",
    "SapiensError": "core.common.errors",
    "make_scan": "core.avatar",
    "make_avatars": "core.avatar",
    "lift_pose": "core.pose.lift",
    "predict": "infer.predict",
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
