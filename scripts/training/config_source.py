"""The fields of TRL's configuration classes, read from their source: importing TRL would import torch.

`--trainer` is checked against them before anything is loaded.
"""

import ast
import functools
import importlib.util
import json
import typing
from collections.abc import Mapping
from pathlib import Path


@functools.cache
def config_fields(dotted: str) -> Mapping[str, str]:
    """Fields of a configuration class and its bases, each with its annotation as written.

    Follows bases that are defined in the same package or are transformers' TrainingArguments.
    """
    module, _, name = dotted.rpartition(".")
    tree = _source(module)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    if name not in classes:
        return {}
    imported = {
        alias.asname or alias.name: _absolute(node, module)
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    found = {}
    for base in (b.id for b in reversed(classes[name].bases) if isinstance(b, ast.Name)):
        if base == "TrainingArguments":
            found |= config_fields("transformers.training_args.TrainingArguments")
        elif base in classes:
            found |= config_fields(f"{module}.{base}")
        elif base in imported:
            found |= config_fields(f"{imported[base]}.{base}")
    own = (node for node in classes[name].body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name))
    return found | {node.target.id: ast.unparse(node.annotation) for node in own}


def is_of_kind(value, annotation: str) -> bool:
    """Whether a field takes the value. TRL's classes check no kinds, and fail, or do not, in the run.

    A name in the annotation that is neither Python's nor typing's (an enum, a class of another library) takes anything.
    """
    import pydantic

    class Known(dict):
        def __missing__(self, name):
            return typing.Any

    kinds = {kind.__name__: kind for kind in (bool, int, float, str, dict, list, tuple)}
    hint = eval(annotation, {"__builtins__": {}}, Known(kinds, Any=typing.Any, Literal=typing.Literal))
    finite = pydantic.ConfigDict(allow_inf_nan=False)
    try:
        pydantic.TypeAdapter(hint, config=finite).validate_json(json.dumps(value), strict=True)  # JSON: a list is a tuple there
    except (pydantic.ValidationError, TypeError):  # a TypeError for what YAML has and JSON has not: bytes, sets
        return False
    return True


@functools.cache
def optimizers() -> frozenset[str]:
    """The names that `optim` may have, read from transformers' source."""
    of = next(node for node in _source("transformers.training_args").body if getattr(node, "name", "") == "OptimizerNames")
    return frozenset(node.value.value for node in of.body if isinstance(node, ast.Assign))


def _source(module: str) -> ast.Module:
    """The syntax of a package's module, which is not imported."""
    package, *inner = module.split(".")
    path = Path(importlib.util.find_spec(package).submodule_search_locations[0], *inner).with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def _absolute(node: ast.ImportFrom, module: str) -> str:
    """The dotted module that a `from ... import` in `module` names."""
    if not node.level:
        return node.module or ""
    above = module.split(".")[: -node.level]
    return ".".join([*above, *((node.module or "").split(".") if node.module else [])])
