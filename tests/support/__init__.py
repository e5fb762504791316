"""What tests share as plain modules.

people       the mean person, photographed, cut, turned and mirrored
walks        people who walk
characters   armatures of other programs in Blender, and files of keypoints for them
reading      Blender's data as arrays
held_worker  a worker that stops where a test says
"""
