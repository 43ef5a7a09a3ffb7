"""Rows of an XML file in no form that has a name of its own: elements of one tag, each with its parts below it."""

from data_prep.common.errors import UserError


def xml_rows(root, shown: str) -> list[tuple[int, dict]]:
    """(line, row) of each element of the outermost tag that comes again and holds others; [] where none does.

    What stands above them holds for all, and is a column of each. Raises UserError where two tags could be the rows.
    """
    level = [root]
    while level:
        below = [child for node in level for child in node if isinstance(child.tag, str)]
        tags: dict[str, list] = {}
        for child in below:
            tags.setdefault(child.tag, []).append(child)
        found = {tag: some for tag, some in tags.items() if len(some) > 1 and sum(_parts(n) > 1 for n in some) > 0.5 * len(some)}
        if len(found) > 1:
            raise UserError(f"{shown}: <{'> and <'.join(found)}> come again side by side; bring each into a file of its own")
        if found:
            [nodes] = found.values()
            return [(node.sourceline, _around(node) | _row(node)) for node in nodes]
        level = below
    return []


def _parts(node) -> int:
    return len(node) + len(node.attrib)


def _around(node) -> dict:
    """Attributes and simple parts of what a row stands in."""
    found: dict = {}
    for outer in node.iterancestors():
        simple = {c.tag: _text(c) for c in outer if isinstance(c.tag, str) and not _parts(c) and c.tag != node.tag}
        found = {**dict(outer.attrib), **simple} | found
    return found


def _row(node) -> dict:
    """An element as a dict: attributes, parts, lists of parts of one tag."""
    parts: dict[str, list] = {}
    for child in node:
        if isinstance(child.tag, str):
            parts.setdefault(child.tag, []).append(_value(child))
    row = dict(node.attrib) | {tag: values[0] if len(values) == 1 else values for tag, values in parts.items()}
    own = (node.text or "").strip()
    return row | ({"text": own} if own and "text" not in row else {})


def _value(node):
    """A part: its text, where it holds no more or is a text with marks in it; a list of parts of one tag; else a dict."""
    tags = {child.tag for child in node if isinstance(child.tag, str)}
    mixed = bool(tags) and any(part and part.strip() for part in (node.text, *(child.tail for child in node)))
    if mixed or not tags:
        return {**node.attrib, "text": _text(node)} if node.attrib else _text(node)
    if len(tags) == 1 and len(node) > 1 and not node.attrib:
        return [_value(child) for child in node if isinstance(child.tag, str)]
    return _row(node)


def _text(node) -> str:
    return "".join(node.itertext()).strip()
