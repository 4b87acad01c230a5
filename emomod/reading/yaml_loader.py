"""YAML of lists and mappings of texts, numbers and truths, and nothing else.

Refused are aliases and anchors (a few of them make billions of items), tags, keys that come twice or are no text, and
whatever breaks a bound. A date is a text, since nothing in emomod asks for one.
"""

from typing import Any

import yaml

from emomod.reading.text import MOST_DEPTH

MOST_TEXT = 8000  # characters of one text, twice the longest path; messages repeat what is wrong
KINDS = ("null", "bool", "int", "float", "str", "seq", "map")


class Loader(yaml.SafeLoader):  # type: ignore[misc]
    """A SafeLoader that refuses what this file's first lines say."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse aliases, anchors, tags and depth before anything is made of them."""
        event = self.peek_event()
        if getattr(event, "anchor", None) is not None:
            raise _refused(event.start_mark, "an anchor or alias, which is not allowed here")
        if getattr(event, "tag", None) is not None:
            raise _refused(event.start_mark, "a tag, which is not allowed here")
        if len(getattr(event, "value", "")) > MOST_TEXT:
            raise _refused(event.start_mark, f"a text of more than {MOST_TEXT} characters")
        if self.depth > MOST_DEPTH:
            raise _refused(event.start_mark, f"more than {MOST_DEPTH} lists and mappings in each other")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """Name the line of a scalar that looks like a number and is none, such as one of 5000 digits."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError, OverflowError) as error:
            raise _refused(node.start_mark, f"a value that cannot be read ({str(error)[:100]})") from None

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
        """Refuse keys that come twice, of which one would be lost, and keys that are no text."""
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _refused(key_node.start_mark, f"the key {key!r:.80}, which is no text: put it in quotes")
            if key in found:
                raise _refused(key_node.start_mark, f"the key {key[:80]!r} a second time")
            found[key] = self.construct_object(value_node, deep=deep)
        return found


Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag.rpartition(":")[2] in KINDS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _refused(mark: Any, what: str) -> Exception:
    error: Exception = yaml.constructor.ConstructorError(None, None, f"it has {what}", mark)
    return error
