"""The only writers of Blender's data: arrays in, data blocks out. Needs bpy.

build(predictions, name)         the whole of one photo into a new collection
write_avatars(avatars, name)     the same for avatars that are made already
retarget(pose, armature)         a pose onto any armature

build       an avatar's objects: mesh (with groups), material (with image), camera, armature (with rigify, photo_pose)
update      parts of a build made again; separate: a scan taken apart; library: many results in one scene
retarget    poses, action: motion; rig_state: what Blender knows of an armature; bone_table: the artist's table;
            rigify_snap: IK to FK; bvh_out: motion as BVH
files       .blend files; export: other formats; render: pictures; steps: all this for a batch
"""

# Imported at once: the functions are named like their modules, and a module that is imported later would hide the function.
from .build import build, write_avatar, write_avatars
from .retarget import retarget

__all__ = ["build", "retarget", "write_avatar", "write_avatars"]
