"""One module per sub-command of the command line: ``run(options, console)``.

A command reads its options, calls the functions that scripts call too, and tells the console each result and each failure.
"""
