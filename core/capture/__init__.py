"""The photo, its camera, and who is in it.

photo             any image file as upright sRGB
photo_colour      its colours: profile, cICP, nclx, gAMA, EXIF
photo_tags        what image files say beside their pixels
exif_orientation  how the camera was held, without an image library
colour_coding     primaries and transfers, HDR among them, to sRGB
video             clips and folders of images as frames
video_frame       a decoded frame as a player shows it
frame_numbers     numbered frames in time, with their gaps
people            who is in the photo
matte             their border, moved to where the photo has it
guided_filter     maps along the photo's edges
camera            the lens from several witnesses, the scale
ground            what is up, and where the person stands
provenance        the strings of a predictions file
settings          which frames of a clip are looked at
"""
