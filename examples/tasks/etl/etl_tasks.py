"""What the workflow does in Python: it separates good rows from bad ones."""

from typing import TypedDict


class Order(TypedDict):
    """A row that can be stored."""

    id: int
    city: str
    count: int
    price: float


class Cleaned(TypedDict):
    """The good rows, how many they are, and why the others were rejected."""

    orders: list[Order]
    count: int
    rejected: list[str]


def clean(rows: list[dict[str, object]]) -> Cleaned:
    """Keep the rows that have a city, and a count and a price above zero."""
    orders: list[Order] = []
    rejected: list[str] = []
    for row in rows:
        number, city, count, price = (row.get(name) for name in ("id", "city", "count", "price"))
        if (
            not isinstance(city, str)
            or not isinstance(count, int)
            or not isinstance(price, int | float)
        ):
            rejected.append(f"order {number}: a cell is empty")
        elif count <= 0 or price <= 0:
            rejected.append(f"order {number}: nothing was sold")
        else:
            orders.append(
                {
                    "id": int(str(number)),
                    "city": city.strip().title(),
                    "count": count,
                    "price": price,
                }
            )
    print(f"{len(orders)} orders are good, {len(rejected)} are rejected")
    return {"orders": orders, "count": len(orders), "rejected": rejected}
