"""The product without Blender and without torch: arrays in, arrays out. `avatar` calls the steps in their order.

    common     what every room speaks: arrays, predictions, spaces, names, errors
    capture    the photo, its camera, and who is in it
    landmarks  people and their points, by the built-in networks, without torch
    surface    maps to mesh
    texture    maps to images on the mesh
    pose       keypoints and pointmap to joints
    rig        bones through the joints, and how the skin follows them
    body       the template body, fitted to photos
    garments   clothes and hair, made on the body
    builtin    predictions without torch: landmarks, a body fitted to them, maps drawn from it
    retarget   a person's motion onto any armature
    motion     frames of a clip to the take of one person
    formats    files, read and written
    settings   what to make and how: the settings of all stages in one
    stages     what the steps of one call share
    one_mesh   body, clothes and hair joined
    whole_person  a body with its clothes, hair and textures
    mesh_texture  photos onto a mesh of the artist
    closed_scan  a scan with the sides and the back of the avatar
    avatar     the table of contents: predictions to everything that Blender needs

Blender's Python has numpy only: scipy, cv2, PIL and other libraries are imported inside the functions that need them, which only
the worker and the command line call. Own modules load none of them when imported, so they are imported at the top.

Imports go one way: a room knows those above it (`common` knows nobody), and no two rooms know each other.
"""
