"""A Figure is drawn well: nothing overlaps, and every line leads from its node to its node."""

from collections.abc import Iterator
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heddle.extensions.drawing.boxes import Point
from heddle.extensions.drawing.figure import LABEL_SIZE, Direction, EdgeLine, Figure, PlacedCard
from heddle.extensions.drawing.picture import Picture
from heddle.extensions.drawing.text import width
from heddle.specs.model.spec import Spec
from tests.extensions.drawing import flows

FLOWS = {
    "nothing": [],
    "one": [flows.spec(1, "one")],
    "itself": [flows.spec(1, "one", out=["one", "one"], error=["one"], init=["one:in[1]"])],
    "ping": flows.ping(),
    "shop": flows.shop(),
    "nasty": flows.nasty(),
    "chain": flows.chain(40),
    "errors": flows.chain(30, oops=True),
    "jumps": flows.chain(60, jump=7),
    "fan": flows.fan(40),
    "ring": flows.ring(12),
    "islands": [flows.spec(n, f"n{n}", out=[f"n{n + 1}"] if n % 3 else []) for n in range(50)],
    "spaces": [flows.within(f"s{n % 3}", flows.spec(n, f"n{n}", out=["n4"])) for n in range(12)],
    "tangle": flows.tangle(40, 70, seed=4),
}


@pytest.fixture(params=["right", "down"])
def direction(request: pytest.FixtureRequest) -> Direction:
    return "down" if request.param == "down" else "right"


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_is_drawn_well(name: str, direction: Direction) -> None:
    check(FLOWS[name], direction)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.integers(1, 25), st.integers(0, 50), st.integers(0, 10_000), st.booleans())
def test_any_flow_is_drawn_well(count: int, links: int, seed: int, down: bool) -> None:
    check(flows.tangle(count, links, seed), "down" if down else "right")


def test_where_waypoints_would_be_too_many_lines_go_round_the_outside() -> None:
    specs = flows.chain(220, jump=100)
    figure = Figure.of(Picture.of(specs))
    lowest = max(placed.at[1] + placed.size[1] for placed in figure.cards)
    outside = [line for line in figure.lines if max(b for _, b in points(line)) > lowest]
    assert outside
    for line in outside[:: len(outside) // 8]:
        assert_clear(line, figure.cards)
        assert_joined(line, figure, "right")


def test_lines_into_one_error_port_share_a_trunk() -> None:
    """Twenty lines into one pin do not cross twenty times: they lie on one another."""
    figure = Figure.of(Picture.of(flows.chain(20, oops=True)))
    errors = [line for line in figure.lines if line.edge.strand == "error"]
    tails = {line.steps[-1] for line in errors}
    assert len(errors) == 20
    assert len(tails) == 1
    assert figure.size[1] < 300


def test_a_straight_flow_is_straight_whatever_else_its_nodes_link() -> None:
    figure = Figure.of(Picture.of(flows.chain(12, oops=True)))
    main = [line for line in figure.lines if line.edge.strand == "plain"]
    assert {round(point[1], 3) for line in main for point in points(line)} == {
        round(main[0].start[1], 3)
    }


def test_a_node_stands_in_the_middle_of_its_fan() -> None:
    figure = Figure.of(Picture.of(flows.fan(8)))
    middles = [placed.at[1] + placed.size[1] / 2 for placed in figure.cards]
    leaves = middles[1:-1]
    assert middles[0] == pytest.approx(sum(leaves) / len(leaves), abs=1)
    assert middles[-1] == pytest.approx(sum(leaves) / len(leaves), abs=1)


def test_the_flow_goes_right_or_down_as_it_is_asked() -> None:
    right = Figure.of(Picture.of(flows.chain(6)), "right").cards
    down = Figure.of(Picture.of(flows.chain(6)), "down").cards
    assert [placed.at[0] for placed in right] == sorted({placed.at[0] for placed in right})
    assert len({placed.at[1] + placed.size[1] / 2 for placed in right}) == 1
    assert [placed.at[1] for placed in down] == sorted({placed.at[1] for placed in down})


def test_the_same_link_written_twice_is_two_lines_side_by_side() -> None:
    figure = Figure.of(Picture.of([flows.spec(1, "a", out=["b", "b"]), flows.spec(2, "b")]))
    assert len({line.start for line in figure.lines}) == 2
    assert len({line.end for line in figure.lines}) == 2


def test_a_tree_has_no_crossing_lines() -> None:
    specs = [
        flows.spec(n + 1, f"n{n}", out=[f"n{c}" for c in (3 * n + 1, 3 * n + 2) if c < 40])
        for n in range(40)
    ]
    figure = Figure.of(Picture.of(specs))
    for one, two in combinations(figure.lines, 2):
        if one.start[0] == two.start[0] and one.end[0] == two.end[0]:
            assert (one.start[1] - two.start[1]) * (one.end[1] - two.end[1]) >= 0


def check(specs: list[Spec], direction: Direction) -> None:
    picture = Picture.of(specs)
    figure = Figure.of(picture, direction)
    assert figure == Figure.of(picture, direction)
    assert [placed.index for placed in figure.cards] == list(range(len(picture.nodes)))
    assert tuple(line.edge for line in figure.lines) == picture.edges
    assert_apart(figure)
    for line in figure.lines:
        assert_joined(line, figure, direction)
        assert_clear(line, figure.cards)
        assert all(0 <= x <= figure.size[0] and 0 <= y <= figure.size[1] for x, y in points(line))
    assert_labels_clear(figure, direction)
    for placed in figure.cards:
        assert placed.card.width <= placed.size[0] + 1e-6
        assert placed.card.height <= placed.size[1] + 1e-6


def assert_apart(figure: Figure) -> None:
    for one, two in combinations(figure.cards, 2):
        apart = [
            one.at[axis] + one.size[axis] + 12 <= two.at[axis]
            or two.at[axis] + two.size[axis] + 12 <= one.at[axis]
            for axis in (0, 1)
        ]
        assert any(apart), (one, two)
    for placed in figure.cards:
        for axis in (0, 1):
            assert placed.at[axis] >= 0
            assert placed.at[axis] + placed.size[axis] <= figure.size[axis]


def assert_joined(line: EdgeLine, figure: Figure, direction: Direction) -> None:
    """Check that the line leaves its source where the flow goes, and enters its target where it came from."""
    source, target = figure.cards[line.edge.source], figure.cards[line.edge.target]
    along, across = (1, 0) if direction == "down" else (0, 1)
    assert line.start[along] == pytest.approx(source.at[along] + source.size[along])
    assert line.end[along] == pytest.approx(target.at[along])
    assert source.at[across] < line.start[across] < source.at[across] + source.size[across]
    assert target.at[across] < line.end[across] < target.at[across] + target.size[across]
    assert line.steps[-1][0][along] < line.end[along] or len(line.steps[-1]) == 1


def assert_clear(line: EdgeLine, cards: tuple[PlacedCard, ...]) -> None:
    """Check that the line runs through no card, not even its own."""
    for one, two in pieces(line):
        low = min(one[0], two[0]), min(one[1], two[1])
        high = max(one[0], two[0]), max(one[1], two[1])
        for placed in cards:
            (x, y), (wide, high_) = placed.at, placed.size
            inside = (
                low[0] < x + wide - 0.5
                and high[0] > x + 0.5
                and low[1] < y + high_ - 0.5
                and high[1] > y + 0.5
            )
            assert not inside, (line.edge, placed)


def assert_labels_clear(figure: Figure, direction: Direction) -> None:
    """Check that no port's label lies on a card, and no two lie on each other."""
    boxes = []
    for port in figure.ports:
        if port.label:
            wide = width(port.label, LABEL_SIZE, mono=True)
            x, y = port.at
            if direction == "down":
                boxes.append((x + 7, y + 6 if port.out else y - 21, wide, 10.0))
            else:
                boxes.append((x + 8 if port.out else x - 11 - wide, y - 14, wide, 10.0))
    cards = [(*placed.at, *placed.size) for placed in figure.cards]
    for number, label in enumerate(boxes):
        for other in (*cards, *boxes[number + 1 :]):
            assert (
                label[0] + label[2] <= other[0]
                or other[0] + other[2] <= label[0]
                or label[1] + label[3] <= other[1]
                or other[1] + other[3] <= label[1]
            ), (label, other)


def points(line: EdgeLine) -> list[Point]:
    return [line.start, *(point for piece in pieces(line) for point in piece)]


def pieces(line: EdgeLine) -> Iterator[tuple[Point, Point]]:
    """Yield the line as straight pieces; a curve as many short ones."""
    here = line.start
    for step in line.steps:
        if len(step) == 1:
            yield here, step[0]
        else:
            last = here
            for part in range(1, 17):
                there = bezier((here, *step), part / 16)
                yield last, there
                last = there
        here = step[-1]


def bezier(pulls: tuple[Point, ...], t: float) -> Point:
    (a, b, c, d), u = pulls, 1 - t
    x, y = (u**3 * a[i] + 3 * u * u * t * b[i] + 3 * u * t * t * c[i] + t**3 * d[i] for i in (0, 1))
    return x, y
