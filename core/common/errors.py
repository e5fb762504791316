"""The one error that reaches people: a sentence that says what is wrong, and a hint that says what to do next."""

REMEDIES = ("runtime", "preferences", "network", "model", "cache")
"""Make or mend the runtime; open the preferences; allow Blender to go online; get the model; delete stored predictions."""


class SapiensError(Exception):
    """An expected failure: bad input, missing weights, a full disk. Anything else is a bug and keeps its traceback.

    message  what happened, one sentence with a full stop, names the file or value it is about
    hint     the next step for the person who reads it, one sentence; may be empty
    remedy   what mends it, where one click can: a key of REMEDIES; the panel has a button for each
    """

    def __init__(self, message: str, hint: str = "", remedy: str = ""):
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        """Survive the way to another process whole."""
        return type(self), (self.message, self.hint, self.remedy)


class UsageError(SapiensError):
    """What was asked for cannot be meant: on the command line exit status 2 instead of 1."""


class Cancelled(Exception):
    """The person who started the job asked it to stop. Not an error: nothing is reported but the fact."""
