"""The product without Blender and without torch: arrays in, arrays out.

data        the arrays that travel between stages, and what each axis means
frames      the coordinate spaces, and the only sign flips
skeleton    names: 308 keypoints, 29 body parts, bones
"""
