"""Sapiens2, written from its description.

config      every size in one table; what a file's shapes say about its network
backbone    the vision transformer
heads       what each task adds to it
sapiens     backbone and heads as one module
loading     safetensors file <-> module
"""
