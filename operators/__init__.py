"""What an artist can do: read settings, call a function, write the scene, report. One module per kind of task.

photo     where the photo comes from, and who in it is meant
photos    several photos, of one person or of several
build     photo to scene
presets   ways to make an avatar, and the artist's own
rebuild   stored predictions to scene
job       waiting for the worker: modal in a window, blocking in background
artist    what the artist is in the middle of, which a result waits for
imports   predictions of ours, and the outputs of Meta's demo scripts
stored    stored predictions and the open file
maps      maps in the image editor
boxes     the boxes of people over the photo there
avatar    what is done with a finished avatar: pose, parts, files
assets    an avatar into the Asset Browser
look      the look through the camera of a photo
pins      joints and points of the face, dragged onto their places in the photo
show      where the result is
texture   the photo onto a mesh of the artist
retarget  a pose onto an armature of the artist
bones     the bone table of an armature
motion    a clip, or a file of another program, onto an armature
batch     a folder of photos and videos
models    weights: download, import, licence
tab       the way to the tab of the sidebar
setup     the runtime, the cache, the log and the report
"""
