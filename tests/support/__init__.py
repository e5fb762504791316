"""What tests share as plain modules.

people            the mean person, photographed, cut, turned and mirrored
walks             people who walk
samples           the synthetic people of tests/samples
degraded          their maps as a network would give them
characters        armatures of other programs in Blender, and files of keypoints for them
reading           Blender's data as arrays
held_worker       a worker that stops where a test says
plain_network     Sapiens2 from its formulas alone
plain_processing  what is before and after it, the same way
"""
