"""The two errors that scripts report: wrong input (exit code 2) and a failed check (exit code 1)."""


class UserError(Exception):
    """The user's input is wrong (exit code 2). Takes one problem or a list; each says what to do next."""

    def __init__(self, problems: str | list[str]):
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class CheckFailed(Exception):
    """A check of the result failed (exit code 1)."""
