"""Brazilian Portuguese of what the pages say, by the English text. A test fails where a sentence lacks its translation."""

PORTUGUESE = {}
