"""The product without Blender and without torch: arrays in, arrays out. `avatar` calls the steps in their order.

What everything speaks
    data          the arrays that travel between stages, and what each axis means
    frames        the coordinate spaces, and the only sign flips
    skeleton      names: 308 keypoints, 29 body parts, 68 joints
    errors        the one error that reaches people: a sentence and the next step
    rotations     frames from directions, swing and twist, rigid fits; quaternions: rotations over time
    colour        sRGB and linear light

A photo and what the network saw in it
    photo         any image file as upright sRGB; orientation: how the camera was held, without an image library
    video         clips and folders of images as frames
    store         the predictions file; prediction_cache: the folder of them
    demo_outputs  files of Meta's own scripts as predictions; importing: which files belong together
    previews      the maps as pictures for people

The camera and the people
    people        who is in the photo
    camera        the lens from several witnesses, the scale
    ground        what is up, and where the person stands

The surface
    scan          maps to mesh, stage by stage, as the next two lines do them
    domain        which pixels count; grid: which of them make geometry; normals: the normal map made fit for use;
    noise         how far the depth is off; edges: where the surface is torn; snap: pixels between two surfaces
    refine        depth and normals fused, solved by multigrid
    meshing       pixels to triangles or quads; decimate: fewer of them
    parts         body parts on the mesh, of the materials that they are made of
    atlas         texture coordinates without overlap; raster: triangles on texels

The texture
    texture       maps to images, by the following
    delight       the light taken out of the photo; lighting: how much reaches each point; clusters: the colours of a garment
    detail        what a network's blur has lost; matte: borders without the background; fill: what is not seen
    tangent       normal map and displacement of what the mesh cannot carry

The pose
    pose          keypoints and pointmap to joints, by the following
    joints        the surface under each keypoint; lift2d: without a pointmap
    pose_fill     first guesses of what is hidden; pose_doubt: when the network was unsure
    refine_pose   what agrees best with everything known, which pose_evidence writes as residuals
    bone_frames   the mean standing person and the frames of its parts; anthropometry: lengths, and how they vary

The rig of the scan
    rig           Rigify's metarig through the joints; rigify_table: what Rigify needs of it; face_bones: the face
    skinning      weights, over the surface_graph; seams: where skin only touches; face_weights: jaw and eyes
    unpose        an A-pose or T-pose at rest

Any other rig
    rest          an armature at rest as arrays; rest_frames: its joints and anatomical frames
    rigs          roles of bones by names; rig_structure: without them; rig_presets: bone tables as files
    body          anatomical frames, the same for people and rigs; head_motion: head, jaw and eyes
    retarget      a body_motion onto a rig; foot_lock: standing feet; limb_twist: twist bones

Motion
    motion        frames to the take of one person, by the following
    tracking      who is who; filters: outliers and smoothing; bone_lengths: one for a clip; contacts: feet on the ground
    foreign       keypoints and BVH of other programs, by sources and bvh; take_bvh: a take as BVH

Files
    files         whole or not at all; avatar_file, pose_file, clip_poses: results for Blender; blend_file: the same bytes again
    exports       PLY and camera; png and exr: images

The worker and its runtime
    worker_client Blender's side of the worker process; protocol: what they say; streams: what nobody may print on
    runtime       the Python that has torch, made by uv (uv_command); wheel_records: whether it is whole
    weights       the released checkpoints; checkpoint: what a file says; weight_store, download and licence: how they come
    kept          results that a slider does not touch; memory: of this computer; report: for a bug, without private paths
"""
