"""Maps to mesh: the surface as the camera saw it.

scan            the stages below in their order
person_mask     which pixels count; sampling_grid: which of them make geometry
normal_map      the normal map made fit for use
depth_noise     how far the depth is off
depth_edges     where the surface is torn; depth_snap: pixels that hang between two surfaces
depth_fusion    depth and normals fused, solved by multigrid
pixel_mesh      pixels to triangles or quads; decimate: fewer of them
body_parts      body parts on the mesh; materials: what they are made of
"""
