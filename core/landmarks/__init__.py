"""People in a photo and their landmarks, found by the built-in networks: small public ones that need no torch.

people     everybody in a photo, with all that is known about them
keypoints  that, as the 308 keypoints
search     where people are
body       33 points of a body
steady     bodies that the photo cuts off, looked at several times
hands      21 points of each hand
face       468 points of a face
iris       the irises
mask       which pixels show a person
of_maps    keypoints for maps that came without
anchors    detectors: what is where in a square
regions    the square of the photo that a network looks at
networks   the files in data/landmarks, run by OpenCV
"""
