"""Files, read and written.

avatar_file, pose_file, clip_files   results on their way to Blender
prediction_cache                     the folder of stored predictions; previews: the maps as pictures for people
meta_demo                            outputs of Meta's own scripts as predictions; import_groups: which files belong together
stored_inputs                        inputs that need no network
keypoint_files                       keypoints of other programs; other_programs: as poses and motion
bvh                                  motion files; take_bvh: a take as one
ply_and_camera                       exports; png and exr: images, without an image library
"""
