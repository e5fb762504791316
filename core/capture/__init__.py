"""The photo, its camera, and who is in it.

photo             any image file as upright sRGB
exif_orientation  how the camera was held, without an image library
video             clips and folders of images as frames
people            who is in the photo
matte             their border, moved to where the photo has it
guided_filter     maps along the photo's edges
camera            the lens from several witnesses, the scale
ground            what is up, and where the person stands
settings          which frames of a clip are looked at
"""
