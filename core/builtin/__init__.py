"""Predictions of the built-in model: landmark networks, a body fitted to them, and maps drawn from that body. See
docs/builtin-model.md.

predict         a photo to predictions
bodies          everybody in a photo, with their bodies
depth_evidence  what the networks know of the depth of joints
limb_widths     which of two limbs is nearer, by how wide they look
stance          how a person stands in depth, on the ground under both feet
surface         depth and normals of one person, from the body out to the outline
hair_dome       hair as the skull, as much larger as its outline
parts           body parts, clothes, hair and shoes of one person
body_regions    where on the body each pixel lies
colours         how likely a colour is on skin, hair and clothes
"""
