"""Many photos, overnight: every input ends with a result or a reason.

items    what is asked: a folder, a list or a pattern becomes inputs with content hashes and result folders
record   what is done: one report.json per input says which stage was made from what, so that a second start redoes nothing
stages   the work itself: predict a group of photos, then scene, exports and picture of each
engine   who works: processes of this machine, one for the network, some for the rest; a worker that dies costs one retry
report   report.jsonl, report.csv and contact.png over all inputs
"""
