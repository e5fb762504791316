"""What every room of `core` speaks.

arrays        the arrays that travel between stages, and what each axis means
avatars       what a photo becomes: a body, clothes, and all that is written for one person
predictions   what a network saw in one photo, and its file
pins          keypoints that somebody has put where they are
containers    arrays and strings in one file
spaces        the coordinate spaces, and the only sign flips
landmarks     names: 308 keypoints, 29 body parts, 68 joints
settings      a setting of the product, declared once
wording       numbers in sentences
errors        the one error that reaches people: a sentence and the next step
rotations     frames from directions, swing and twist, rigid fits
quaternions   rotations over time
colour        sRGB and linear light
looks         colour and roughness where no texture says it
atomic_files  files that are whole or not there
file_lock     a lock that goes with its process
memo          results that a slider does not touch, bounded by their bytes
progress      how a long step tells how far it is
processes     their environment, their streams, their end
json_lines    what two of them say to each other
version       of the product
"""
