"""A stage of a recipe: one command, with what it reads and writes."""

from dataclasses import dataclass, field
from pathlib import Path

from training import peak


@dataclass
class Stage:
    """One command, what it reads beside the words of the command itself, and what it writes."""

    name: str
    command: list[str]
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)

    @property
    def script(self) -> str:
        """The script's path, as the command has it."""
        return self.command[1] if len(self.command) > 1 else ""

    @property
    def trains(self) -> bool:
        return Path(self.script).stem in peak.METHODS
