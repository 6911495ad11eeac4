"""What the scraper does in Python: it counts the words of a page."""

import re
from typing import TypedDict


class Page(TypedDict):
    """How many words a page has."""

    url: str
    words: int


def count_words(url: str, html: str) -> Page:
    """Return how many words stand in a page, outside of its tags."""
    text = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", html, flags=re.DOTALL | re.IGNORECASE)
    words = len(re.findall(r"\w+", text))
    print(f"{url}: {words} words")
    return {"url": url, "words": words}


def sort_pages(pages: list[Page]) -> list[Page]:
    """Return the pages, those with most words first."""
    return sorted(pages, key=lambda page: (-page["words"], page["url"]))
