"""The released checkpoints: which there are, how they come to this computer, and under which licence.

catalogue  the table of models and tasks, and which of them are here
header     what the head of a checkpoint file says
store      files of this computer taken in, checked and recorded
download   files of the hub, which go on where they stopped
licence    what has to be accepted first
"""
