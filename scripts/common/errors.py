"""The two errors that scripts report; data_prep/errors.py holds them for both rooms."""

from data_prep.errors import CheckFailed, UserError

__all__ = ["CheckFailed", "UserError"]
