"""The tab in the 3D viewport's sidebar: one module per step of the work. A panel draws what is and does nothing.

tab        where all our panels are, and when
parts      what several panels draw: text that wraps, the last error
progress   how far a job is: in the panel that started it, in Run, and in the status bar
setup      the face before there is a Python for the network
avatars    the avatars of the scene, and the one that every button acts on
reference  the photo, and who in it is meant
model      the network: which one, on what, and what of it is installed
presets    ways to make an avatar, in the header of Run
run        the one button, its progress and its outcome
look       the avatar beside its photo: the look through it, and pins
maps       small pictures of what the network saw
avatar     shape, scan, texture and rig
retarget   the pose onto an armature
motion     a clip onto an armature
batch      a folder of photos at once
menus      the Add menu and the menus of an avatar's objects
"""

from __future__ import annotations

from . import avatar, avatars, batch, look, maps, menus, model, motion, presets, reference, retarget, run, setup

CLASSES = (
    *setup.CLASSES,
    *avatars.CLASSES,
    *reference.CLASSES,
    *model.CLASSES,
    *presets.CLASSES,
    *run.CLASSES,
    *look.CLASSES,
    *maps.CLASSES,
    *avatar.CLASSES,
    *retarget.CLASSES,
    *motion.CLASSES,
    *batch.CLASSES,
    *menus.CLASSES,
)
"""In the order in which they are drawn."""
