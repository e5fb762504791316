"""Many photos, overnight: every input ends with a result or a reason.

items    what is asked: a folder, a list or a pattern becomes inputs with content hashes and result folders
record   what is done: one report.json per input says which stage was made from what, so that a second start redoes nothing
plan     the stages of one input, their keys, and which are still to do
stages   the work itself: predict a group of photos or a clip, then scene, exports and picture of each
blender  a Blender beside us that writes the scenes, for a Python that has none in it
one_person  several photos of one person as one input
engine   who works: processes of this machine, one for the network, some for the rest; a worker that dies costs one retry
cluster  the same on the nodes of a Ray cluster
picture  photo, scan and skeleton side by side
report   report.jsonl, report.csv and contact.png over all inputs
"""
