"""A Backend is one of those that answer for us; a Balancer chooses among them."""

import random
from collections.abc import Collection, Sequence
from hashlib import blake2b
from time import monotonic
from typing import Literal, TypeAlias

from heddle.extensions.net.http_client.target import Base

Balance: TypeAlias = Literal["round-robin", "least", "random", "hash"]
"""In turn, to whom has the fewest requests, by chance, or always the same one for the same key."""


class Backend:
    """One backend, and how it has done. It outlives the node that uses it."""

    __slots__ = ("active", "aside", "base", "failures", "requests", "row", "up", "url")

    def __init__(self, url: str) -> None:
        """ValueError if it is not an http or https URL with a host."""
        self.url = url
        self.base = Base(url)
        self.active = 0
        self.requests = 0
        self.failures = 0
        self.aside = 0.0
        self.up = True
        self.row = 0

    @property
    def healthy(self) -> bool:
        """Whether it answers its health checks, and has not just failed."""
        return self.up and monotonic() >= self.aside

    def succeeded(self) -> None:
        """Count a success: the backend has answered."""
        self.failures = 0
        self.aside = 0.0

    def failed(self, most: int, seconds: float) -> bool:
        """Count a failure to reach it; return True if it is set aside for that now."""
        self.failures += 1
        if not most or self.failures < most:
            return False
        fresh = monotonic() >= self.aside
        self.aside = monotonic() + seconds
        return fresh

    def checked(self, good: bool, falls: int, rises: int) -> bool:
        """Return what a health check has found; True if that changes its state."""
        if good == self.up:
            self.row = 0
            return False
        self.row += 1
        if self.row < (rises if good else falls):
            return False
        self.up, self.row = good, 0
        if good:
            self.succeeded()
        return True


class Balancer:
    """Chooses among backends by their weights."""

    def __init__(
        self, backends: Sequence[Backend], weights: Sequence[int], balance: Balance
    ) -> None:
        self.backends = list(backends)
        self._weights = dict(zip(self.backends, weights, strict=True))
        self._balance = balance
        self._current: dict[Backend, int] = dict.fromkeys(self.backends, 0)

    def adopt(self, other: "Balancer") -> None:
        """Go on with the backends of another that are the same: how they have done is remembered."""
        known = {backend.url: backend for backend in other.backends}
        for index, first in enumerate(self.backends):
            old = known.get(first.url)
            if old is not None:
                self.backends[index] = old
                self._weights[old] = self._weights.pop(first)
                self._current[old] = self._current.pop(first)

    def choose(self, tried: Collection[Backend] = (), key: str = "") -> Backend | None:
        """Return a backend that was not tried yet; None if there is none that might answer.

        One that was only set aside is better than none at all; one that fails its health checks is
        not.
        """
        left = [backend for backend in self.backends if backend not in tried and backend.up]
        healthy = [backend for backend in left if backend.healthy] or left
        if len(healthy) < 2:
            return healthy[0] if healthy else None
        if self._balance == "least":
            least = min(backend.active / self._weights[backend] for backend in healthy)
            return random.choice(
                [backend for backend in healthy if backend.active / self._weights[backend] == least]
            )
        if self._balance == "random":
            weights = [self._weights[backend] for backend in healthy]
            return random.choices(healthy, weights)[0]
        if self._balance == "hash":
            return max(healthy, key=lambda backend: self._score(backend, key))
        return self._next(healthy)

    def _next(self, healthy: Sequence[Backend]) -> Backend:
        """In turn, so that a heavy one does not get its share in one go."""
        total = 0
        for backend in healthy:
            self._current[backend] += self._weights[backend]
            total += self._weights[backend]
        best = max(healthy, key=lambda each: self._current[each])
        self._current[best] -= total
        return best

    def _score(self, backend: Backend, key: str) -> float:
        """Return how much a key belongs to a backend: if one goes, only its own keys move."""
        mac = blake2b(f"{backend.url}\n{key}".encode("utf-8", "replace"), digest_size=8).digest()
        share = (int.from_bytes(mac, "big") + 1) / (2**64 + 1)
        return float(share ** (1 / self._weights[backend]))
