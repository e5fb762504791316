"""The one error that reaches people: a sentence that says what is wrong, and a hint that says what to do next."""


class SapiensError(Exception):
    """An expected failure: bad input, missing weights, a full disk. Anything else is a bug and keeps its traceback.

    message  what happened, one sentence with a full stop, names the file or value it is about
    hint     the next step for the person who reads it, one sentence; may be empty
    """

    def __init__(self, message: str, hint: str = ""):
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def __reduce__(self):
        return type(self), (self.message, self.hint)


class Cancelled(Exception):
    """The person who started the job asked it to stop. Not an error: nothing is reported but the fact."""
