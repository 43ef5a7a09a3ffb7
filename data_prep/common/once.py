"""JSON and YAML in which a name stands once in an object. Python's own readers let the last of two win without a word.

load_json('{"answer": "A", "answer": "B"}')      # RepeatedName, a ValueError
load_yaml("fields: {answer: a, answer: b}")       # yaml.YAMLError with the line
"""

import functools
import json


class RepeatedName(ValueError):
    """A name that stands twice in one object, with two values perhaps: which is meant nobody here knows."""


def _object(pairs: list[tuple]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise RepeatedName(f"the name {str(twice)[:60]!r} stands twice in one object")
    return found


def load_json(text: str):
    """`json.loads`. Raises RepeatedName beside json's own errors."""
    return json.loads(text, object_pairs_hook=_object)


def load_yaml(text: str, typed: bool = True):
    """`yaml.safe_load`; `typed` False leaves every scalar the text that stands there. Raises yaml.YAMLError, as yaml itself."""
    import yaml

    return yaml.load(text, Loader=_loader(yaml.SafeLoader if typed else yaml.BaseLoader))


@functools.cache
def _loader(base):
    import yaml

    class Once(base):
        def construct_mapping(self, node, deep=False):
            if isinstance(node, yaml.MappingNode) and (twice := next(repeated_keys(node, deep=False), None)):
                raise yaml.constructor.ConstructorError(None, None, f"the key {twice.value!r} stands twice", twice.start_mark)
            return super().construct_mapping(node, deep)

    return Once


def repeated_keys(node, deep: bool = True):
    """The key nodes of a composed YAML mapping that stand there again, of those within it too where `deep`."""
    import yaml

    if isinstance(node, yaml.SequenceNode):
        for part in node.value:
            yield from repeated_keys(part)
    if not isinstance(node, yaml.MappingNode):
        return
    seen = set()
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                yield key
            seen.add(key.value)
        if deep:
            yield from repeated_keys(value)
