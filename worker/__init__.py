"""The process that runs jobs, and how Blender talks to it.

start     the door: what Blender launches in the Python that has torch
server    the process's side: takes jobs, answers, keeps libraries away from the pipe
jobs      what the process can be asked
protocol  the messages between the two, one JSON object a line
client    Blender's side: starts the process, queues jobs, outlives it
"""
