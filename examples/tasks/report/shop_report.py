"""The tasks of the report: plain functions, which a test can call without anything else."""

import asyncio
from hashlib import sha256
from typing import TypedDict

SHOPS = ["Berlin", "Hamburg", "Leipzig", "Munich", "Cologne", "Dresden"]


class Sales(TypedDict):
    """What one shop sold on one day."""

    shop: str
    orders: int
    euros: float


class Total(TypedDict):
    """What all shops sold."""

    orders: int
    euros: float


def list_shops() -> list[str]:
    """Return the shops that are asked."""
    return SHOPS


async def ask_shop(shop: str, day: str, pause: float) -> Sales:
    """Return what a shop sold; it takes a while to answer."""
    print(f"asking {shop} for {day}")
    await asyncio.sleep(pause)
    number = sha256(f"{shop} {day}".encode()).digest()
    return {"shop": shop, "orders": 10 + number[0] % 20, "euros": 100 + number[1] * 2.5}


async def ask_weather(day: str, pause: float) -> str:
    """Return the weather of a day."""
    await asyncio.sleep(pause)
    return ["sun", "rain", "snow"][sha256(day.encode()).digest()[0] % 3]


def add_up(sales: list[Sales]) -> Total:
    """Return the sums over all shops."""
    return {
        "orders": sum(each["orders"] for each in sales),
        "euros": sum(each["euros"] for each in sales),
    }
