"""What benchmarks and tests measure with.

studio       synthetic people with exact maps: where they are, and how they are read
rig_factory  rigs of every family, with any rest pose
round_trip   motion onto a rig, and how far it is from its source
walks        a walk whose truth is known
"""
