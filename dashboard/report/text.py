"""Text from outside without what no form of a report can show."""

import re
import unicodedata

# Bidirectional overrides make text read as something else than it is (CVE-2021-42574).
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(value: object) -> str:
    """The value as text, a replacement character for each control character and override."""
    text = unicodedata.normalize("NFC", str(value)).replace("\r\n", "\n").replace("\r", "\n")
    return _UNSEEN.sub("\ufffd", text)


def slug(title: str, taken: set[str]) -> str:
    """A heading as a file name or anchor that is not yet ``taken``; it is added there."""
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60].strip("-") or "part"
    name, number = words, 1
    while name in taken:
        number += 1
        name = f"{words}-{number}"
    taken.add(name)
    return name
