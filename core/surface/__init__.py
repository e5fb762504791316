"""Maps to mesh: the surface as the camera saw it. `scan` calls the others in their order.

scan           predictions in, surface out
solid          what is inside closed surfaces
person_mask    which pixels count
sampling_grid  which of them make geometry
normal_map     the normal map made fit for use
depth_noise    how far the depth is off
depth_edges    where the surface is torn
depth_snap     pixels that hang between two surfaces
depth_fusion   depth and normals fused
multigrid      the solver of that
sparse_solver  the solver of smoothing over meshes
pixel_mesh     pixels to triangles or quads
decimate       fewer triangles for the same surface
body_parts     body parts on the mesh
materials      what they are made of
settings       how the surface is made
"""
