"""The error that means: what you gave cannot be used, and here is why."""


class InputError(ValueError):
    """Bad input. The message is one line that names the file, the row where there is one, and the fix.

    The command line prints it and exits with code 2; anything else that is raised is a fault of ours.
    """
