"""A module to patch, which worker processes import."""

from typing import Any

RATE = 2
NAME = "shop"
OPEN = True
PRICES = {"apple": 1}


class Till:
    @staticmethod
    def limit() -> int:
        return 5


def seen() -> dict[str, Any]:
    """What code of this module finds."""
    return {
        "RATE": RATE,
        "NAME": NAME,
        "limit": Till.limit(),
        "OPEN": globals().get("OPEN"),
        "apple": PRICES.get("apple"),
    }
