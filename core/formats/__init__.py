"""Files, read and written.

avatar_file       avatars on their way to Blender
pose_file         a pose on its way to Blender
clip_files        the poses of a clip, and its take
prediction_cache  the folder of stored predictions
previews          the maps as pictures for people
meta_demo         outputs of Meta's own scripts as predictions
import_groups     which files of a selection belong together
stored_inputs     inputs that hold predictions already
keypoint_files    keypoints of other programs
keypoint_frames   what their dialects call frames, people and points
other_programs    the same as poses and motion
bvh               motion files
bvh_text          their text, in every dialect
bvh_skeleton      their joints as they move
bvh_body          who moves in them, what is up, how they stand at rest
take_bvh          a take as one
export_formats    what results are written in
ply_and_camera    the scan as PLY, the camera as JSON
png               integer images, without an image library
exr               float images, without an image library
"""
