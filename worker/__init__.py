"""The process that runs jobs, and how Blender talks to it.

start     the door: what Blender launches in the Python that has torch
server    the process's side: takes jobs, answers, keeps libraries away from the pipe
jobs      what the process can be asked
requests  how it is asked: typed, one for each job
protocol  the messages between the two, one JSON object a line
client    Blender's side: starts the process, queues jobs, outlives it
job       what every piece of work has that the artist waits for
thread    work that needs no process of its own
"""
