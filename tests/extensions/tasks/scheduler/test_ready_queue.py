"""A ReadyQueue gives the lowest number first, in whatever order numbers come."""

from heapq import heappop, heappush
from random import Random
from time import process_time

import pytest

from heddle.extensions.tasks.scheduler.ready_queue import ReadyQueue


@pytest.mark.parametrize("seed", range(200))
def test_the_lowest_number_comes_first_as_from_a_heap(seed: int) -> None:
    random = Random(seed)
    numbers = list(range(60))
    if seed % 2:
        random.shuffle(numbers)
    queue, heap = ReadyQueue([100, 101]), [100, 101]
    while numbers or heap:
        if numbers and random.random() < 0.6:
            number = numbers.pop()
            queue.put(number)
            heappush(heap, number)
        elif heap:
            assert queue.take() == heappop(heap)
        assert queue.size() == len(heap)


def test_numbers_for_the_middle_cost_no_shift_of_all() -> None:
    def spend(count: int) -> float:
        queue = ReadyQueue([*range(count), 10 * count])
        began = process_time()
        for number in range(2 * count, count, -1):
            queue.put(number)
        for _ in range(2 * count):
            queue.take()
        return process_time() - began

    few = min(spend(2_000) for _ in range(3))
    assert min(spend(32_000) for _ in range(3)) < 16 * 4 * few
