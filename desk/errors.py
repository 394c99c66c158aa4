"""The one error of the runner."""


class DeskError(Exception):
    """What went wrong, as one line for the operator; the command ends with exit code 1."""
