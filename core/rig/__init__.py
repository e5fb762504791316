"""The rig of a person: bones at rest, and how the skin follows them.

metarig         Rigify's metarig through the joints; rigify_types: what Rigify needs of it; face_bones: the face
skin_weights    of the scan, over the patch_graph; contact_seams: where skin only touches; face_weights: jaw and eyes
rest_pose       an A-pose or T-pose at rest
"""
