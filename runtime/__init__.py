"""The Python that has torch: made by uv beside Blender, checked, repaired and removed.

environment    installs it and says what it can run on
uv             the program that makes it, and what its words mean
wheel_records  whether every installed file is whole
programs       what another Python runs for it
memory         of this computer
bug_report     what a report of a fault says, without private paths
"""
