"""Clothes and hair as objects of their own, on the fitted body.

dress         all that somebody wears
steady        photos with steady depth
hair          hair and what else is worn on the head
headwear      where apparel is a hat
eyewear       glasses
head_space    what photos say round the head
envelope      how far hair reaches, seen and guessed
volume        from seen and guessed to one closed surface
surface_nets  the surface of a field, in quads
charts        texture coordinates of a closed surface
head_weights  how hair follows the rig
clothes       clothes on the body
suit          the close layer that they are made on
drape         how it spans hollows
labels        which garment covers what
cut           a garment out of the suit
offset        how far it stands off
hang          skirts
hems          where it is turned in
"""
