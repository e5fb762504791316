"""Frames to the take of one person. `take` calls the others in their order.

take          poses of frames in, motion out
tracking      who is who
filters       outliers and smoothing
bone_lengths  one length for a clip
settings      how frames become motion
"""
