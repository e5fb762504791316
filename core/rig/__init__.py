"""The rig of a person: bones at rest, and how the skin follows them.

metarig        Rigify's metarig through the joints
rigify_types   what Rigify needs of it
bone_list      bones while a rig is made
face_bones     the face
skin_weights   of the scan
patch_graph    its surface as a coarse graph, which weights are found on
contact_seams  where skin only touches
face_weights   of jaw and eyes
rest_pose      an A-pose or T-pose at rest
correctives    what bending takes from the skin, as shape keys
settings       what a rig has
"""
