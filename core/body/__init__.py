"""The template body: its shape, posture and face, and its fit to photos. See docs/body.md.

template          the mesh and its data
phenotype         eleven numbers that say what a person is
skeleton          the bones that move it
evaluate          shape, face and posture to points
carried           means of points by what each bone carries, and derivatives by the turns of bones
fitted            what a fit gives
fit               photos of one person to shape and postures
agreement         photos that show one posture
hanging           limbs that no photo shows, at ease
initial_posture   a first posture, in closed form
evidence          what one photo says
correspondence    where the seen surface and the outline pull
residuals         everything known, as residuals
priors            what is likely
state             all unknowns as one vector
person            who somebody is, in a file
same_person       whether two photos show one person
maps              a fitted body as the camera sees it
character         mesh, rig and shape keys for Blender
reshape           another shape for a character that is built
rest              the rest pose that was asked for
bust              head and shoulders alone
expression        moves of a face as values of the ARKit shapes
other_photos      what stands in one photo, in the pose of another
painted           body and garments with textures all round
follow            a scan that follows the body's rig
"""
