"""A person's motion onto any armature. `solve` does it with what the others know.

solve            a motion in, rotations of bones out
body_motion      the motion of a body, of a person or of a rig
body_frames      anatomical frames, the same for people and rigs
head_motion      head, jaw and eyes
armature         an armature at rest as arrays
armature_frames  its joints and anatomical frames
bone_map         which bone plays which role
bone_map_file    the same as a file
families         rigs that are known by the names of their bones
recognise        the roles of an armature's bones
structure        the same without names
ground_contacts  feet on the ground
foot_lock        standing feet stay there
twist_bones      a limb's twist over its bones
settings         how a motion is put on a rig
"""
