"""Keypoints and pointmap to the joints of a person. `lift` calls the others in their order.

lift             predictions in, pose out
surface_samples  the pointmap under each keypoint
monocular        without a pointmap: distance by size, direction by normals
initial_guess    initialisation of what is hidden
residuals        everything known, as residuals
solver           Levenberg-Marquardt over them
confidence       when the network was unsure
anatomy          the mean standing person, and the frames of its parts
anthropometry    lengths, and how they vary
settings         how joints are found
"""
