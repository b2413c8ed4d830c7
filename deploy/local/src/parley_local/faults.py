"""What can keep Parley from running, said to the person at the terminal."""


class StartError(Exception):
    """One sentence that says what is wrong and what to do about it."""
