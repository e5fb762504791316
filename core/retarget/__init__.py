"""A person's motion onto any armature.

armature          an armature at rest as arrays; armature_frames: its joints and anatomical frames
bone_map          which bone plays which role; bone_map_file: as a file
recognise         the roles by names, of the families of data/bone_tables.json; structure: without names
body_frames       anatomical frames, the same for people and rigs; head_motion: head, jaw and eyes
body_motion       the motion of a body, of a person or of a rig
solve             a motion onto a rig
ground_contacts   feet on the ground; foot_lock: they stay there; twist_bones: a limb's twist over its bones
"""
