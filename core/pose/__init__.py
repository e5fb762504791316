"""Keypoints and pointmap to the joints of a person. `lift` calls the others in their order.

lift             predictions in, pose out
surface_samples  the surface under each keypoint
monocular        without a pointmap
initial_guess    of what is hidden
residuals        everything known, as what a solver can weigh
solver           what agrees best with it
confidence       when the network was unsure
anatomy          the mean standing person, and the frames of its parts
anthropometry    lengths, and how they vary
"""
