"""The command line. One module per sub-command: ``run(options, console)`` reads its options, calls the functions that scripts
call too, and tells the console each result and each failure.

    cli             the grammar of all of it, and which command runs
    start           the door for Blender, whose own Python lacks what computes
    arguments       values as people type them, checked
    options         options that follow from settings, and the settings that were asked for
    console         progress, results, failures, exit status
    inputs          from what a person typed to predictions
    armatures       an armature that a person names, and its bone table
    through_worker  inside Blender: the worker computes, Blender writes
    demo            the built-in photo through the built-in model
    predict         one predictions file per image
    build           scan, textures, camera and rig of each input
    person          who somebody is, from several photos
    texture         the photo on a mesh of the artist
    pose            a person's pose on an armature
    animate         a clip as an action
    batch           many inputs, each with a result or a reason
    models          the weights on this machine
    doctor          what this machine can do, and what is missing
"""
