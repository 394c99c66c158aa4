"""The process runner of the desk: starts every component, watches them, restarts what dies, stops them.

Nothing here imports Django or the desk's own packages: the runner must work when they do not.
"""
