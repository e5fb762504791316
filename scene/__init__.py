"""The only writers of Blender's data: arrays in, data blocks out. Needs bpy.

build(predictions, name)         the whole of one photo into a new collection
write_avatars(avatars, name)     the same for avatars that are made already
retarget(pose, armature)         a pose onto any armature
"""

_PUBLIC = {"build": "build", "write_avatar": "build", "write_avatars": "build", "retarget": "retarget"}


def __getattr__(name: str):
    from importlib import import_module

    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_PUBLIC[name]}", __name__), name)
