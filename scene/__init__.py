"""The only writers of Blender's data: arrays in, data blocks out. Needs bpy.

build(predictions, name)         the whole of one photo into a new collection
write_avatars(avatars, name)     the same for avatars that are made already
retarget(pose, armature)         a pose onto any armature
show_photo_pose(rig, shown)      the pose of the photo on a rig that rests in another
gather(files)                    many results in one scene

    build           avatars into the scene: one collection per photo
    mesh            the scan's geometry
    body            the person's body: mesh, materials, shape keys
    garments        clothes and hair: meshes of their own on the same rig
    correctives     keys that mend bent joints, driven by the bones
    look            what body and garments look like: image textures into Principled
    mesh_texture    a mesh of the artist, and the photo on it
    alone           a scene with one object, which leaves the artist's alone
    groups          vertex groups by the array
    material        Principled materials, one per kind of surface
    image           arrays into packed images
    camera          the matched camera, with the photo behind it
    armature        the rig as Rigify names it
    rigify          what Rigify needs to generate from it
    control_rig     Rigify's control rig, and what follows the rig bound to it
    photo_pose      the pose of the photo on a rig that rests in another
    through_photo   the look through the camera of a photo, and the way back
    photo_editor    the photo in an image editor
    pins            what the artist has put where it is in the photo
    pin_places      where landmarks of an avatar are now
    reshape         another shape for a body, in place
    marks           what a build writes on its objects, and whose they are
    people          which person of a photo is which
    bounds          the box around objects in the world
    standing        where a new avatar stands: at the 3D cursor, beside what is there
    hand_edits      whether an artist has edited what a build wrote
    restore         changes that are made whole or not at all
    replace         an avatar built again, in place
    carry           vertex groups and shape keys onto the mesh that takes a place
    keep_materials  materials of an avatar that is built again
    update          parts of a build made again
    separate        a scan taken apart by what it shows
    library         many results in one scene
    rig_state       what Blender knows of an armature, as arrays
    bone_table      which bone plays which role
    retarget        a person's pose onto any armature
    nla             what hides an action or overwrites a pose
    keys            channels of bones into actions
    action          a take onto an armature
    face            the face of a take on shape keys
    rigify_snap     IK controls brought to the FK pose
    bvh_export      the motion of an armature as BVH
    typed           what Blender gives, where its stubs are wrong
    files           .blend files: an empty one, a safe save
    reproducible    a .blend with the same bytes for the same content
    blend_contents  what Blender's own reader finds in a .blend
    export          other formats
    export_state    the scene as exporters need it
    context_scene   a scene that Blender 4.2 keeps in its context
    units           in metres, whatever a unit of the scene is
    usd             USD with its unit of length and the values of shape keys
    masks           what Mask modifiers hide
    plain_meshes    their meshes by shape keys and bones alone
    textures        their images, under names of their own
    render          pictures of what was built
    assets          avatars in the Asset Browser
    aim             bones that point somewhere, in copies
    batch_steps     all this as calls with plain arguments, for a batch
    start           a Blender that takes them from a pipe
"""

# Imported at once: the functions are named like their modules, and a module that is imported later would hide the function.
from .build import build, write_avatar, write_avatars
from .library import gather
from .photo_pose import show_photo_pose
from .retarget import retarget

__all__ = ["build", "gather", "retarget", "show_photo_pose", "write_avatar", "write_avatars"]
