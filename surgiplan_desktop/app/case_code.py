"""The pseudonym of a case: six characters of the hash of its input."""

from __future__ import annotations

import hashlib
from typing import Final

#: Base 32 without 0, 1, I and O: nobody reads one for the other on a printed part (practice.md 20).
ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
LENGTH: Final = 6


def case_code(*parts: str) -> str:
    """Return the code of an input: the first 30 bits of SHA-256 over ``parts``, five bits a character."""
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    bits = int.from_bytes(digest, "big") >> (len(digest) * 8 - 5 * LENGTH)
    return "".join(ALPHABET[(bits >> (5 * place)) & 31] for place in reversed(range(LENGTH)))
