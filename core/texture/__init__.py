"""Maps to images on the mesh. `textures` makes those of the scan, `all_round` those of the avatar.

textures         maps in, textures out
base_colour      the photo without its light, and without what is behind the person
delight          the light taken out of the photo
lighting         how much light reaches each point
colour_clusters  the few colours of a garment
detail_transfer  what a network's blur has lost
roughness        the gloss of parts, and of highlights
eyes             round irises on the eyeballs
foreground       borders without the background
inpaint          what is not seen
uv_atlas         texture coordinates without overlap
rasterise        triangles on texels
tangent_maps     normal map and displacement of what the mesh cannot carry
normal_detail    normal map of what the mesh of such a surface cannot carry
all_round        photos in, textures of closed surfaces out
views            what one photo knows
project          which pixel a point of a surface is, and how well it is seen
openings         where clothes show their inside
blend            several photos made one
surface_fill     what no photo shows
pattern_samples  what is seen of a pattern
level_rows       stripes made level, so that they go on round
hem_bands        collars and cuffs, carried round
other_side       the fine pattern of cloth, carried to where no photo looks
strands          hair where no photo looks
texels           where texels lie on their surface
joined_atlas     several surfaces on one texture
symmetry         which vertex is on the other side
artist_mesh      a mesh of the artist that is to be painted, and its files
settings         how textures are made
"""
