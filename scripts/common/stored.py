"""What is stored as JSON and read back, with named fields: pydantic models, and one way to read them."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from common.files import damaged


class Stored(BaseModel):
    """An object of a JSON file. A field that was not given is not written; one of another version is passed over in reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    @classmethod
    def read(cls, path: str | Path):
        """The object in a file. Raises UserError naming file and field where it lacks one, or holds something else there."""
        try:
            return cls.model_validate_json(Path(path).read_bytes(), strict=True, extra="ignore")
        except (OSError, ValidationError) as error:
            raise damaged(path, why(error)) from None

    def as_fields(self) -> dict:
        """The fields that were given, by name, for another object to be made with."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}

    def as_json(self) -> dict:
        """What is written."""
        return self.model_dump(mode="json", exclude_unset=True)


def why(error: Exception) -> str:
    """What is wrong with the first field that is, in a line."""
    if not isinstance(error, ValidationError):
        return f"{type(error).__name__}: {error}"[:200]
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return f"lacks {where!r}"
    return f"{where}: {first['msg']}"[:200] if where else first["msg"][:200]
