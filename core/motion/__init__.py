"""Frames to the take of one person.

take            the stages below in their order
tracking        who is who
bone_lengths    one for a clip
filters         outliers and smoothing
"""
