"""The only writers of Blender's data: arrays in, data blocks out. Needs bpy.

build(predictions, name)         the whole of one photo into a new collection
write_avatars(avatars, name)     the same for avatars that are made already
retarget(pose, armature)         a pose onto any armature
"""

# Imported at once: the functions are named like their modules, and a module that is imported later would hide the function.
from .build import build, write_avatar, write_avatars
from .retarget import retarget

__all__ = ["build", "retarget", "write_avatar", "write_avatars"]
