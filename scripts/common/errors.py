"""The two errors that scripts report; data_prep/common/errors.py holds them for both rooms."""

from data_prep.common.errors import CheckFailed, UserError

__all__ = ["CheckFailed", "UserError"]
