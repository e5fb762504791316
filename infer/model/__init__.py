"""Sapiens2, written from its description.

config      every size in one table; what a file's shapes say about its network
backbone    the vision transformer
rotary      where its tokens are
heads       what each task adds to it
bands       maps worked through in bands of rows
heap        what the C library keeps of freed memory
layers      what both are made of; which of it may be in 16 bits
sapiens     backbone and heads as one module
loading     safetensors file <-> module
reading     tensors of a file, converted on their way
streaming   blocks that come into memory when it is their turn
"""
