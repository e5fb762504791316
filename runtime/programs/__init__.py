"""Small programs that another Python runs by their path, with nothing of this package importable; each says its own arguments.

interpreter_check  which Python this is, and which packages it lacks
import_check       that every package can be imported, and what torch finds here
guarded            a command that ends when its parent goes
"""
