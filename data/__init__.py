"""What the code reads and does not compute.

keypoints308.json    the 308 keypoints: names, sides, neighbours
keypoint_orders.json the order of keypoints in files of other programs
seg29.json           the 29 body parts
bone_tables.json     rig families: which bone plays which role
rigify_face.json     the face bones of Rigify's metarig
body_template.json   proportions of the mean person
landmarks/           the built-in landmark networks, and what maps their points to the 308 keypoints
sample_photo.jpg     the built-in photo, of a synthetic person; sample_side, sample_back and sample_close.jpg show them too
"""
