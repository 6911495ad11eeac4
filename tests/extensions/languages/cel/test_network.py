"""IP addresses and their ranges, beside what the tests of the specification ask."""

from typing import Any

import pytest

from heddle.extensions.languages.cel.compiler import compile_program
from heddle.extensions.languages.cel.errors import EvaluationError

PAYLOAD: dict[str, Any] = {"remote": "10.1.2.3", "net": {"IP": "a field"}, "ip": "1.2.3.4"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cidr('10.0.0.0/8').containsIP(remote)", True),
        ("[cidr('10.0.0.9/8').masked(), ip(ip), {'a': ip('::1')}]",
         ["10.0.0.0/8", "1.2.3.4", {"a": "::1"}]),
        ("json([cidr('::/0')])", '["::/0"]'),
        ("[ip('::1'), ip('0:0::1')].distinct().size()", 1),
        ("isCIDR('10.0.0.0/33') || isCIDR('10.0.0.0') || isCIDR('10.0.0.0/255.0.0.0')", False),
        ("cidr('0.0.0.0/0').containsIP('255.255.255.255')", True),
        ("ip('01.2.3.4') == 1 || isIP('1.2.3')", EvaluationError),
        ("cidr('::/0').containsIP(1)", EvaluationError),
        ("ip(remote) < ip(remote)", EvaluationError),
        ("net.IP", "a field"),
        ("[{'IP': 1}].map(net, net.IP)", [1]),
        ("isIP('1' + remote.replace('.', '..')) || isIP(remote + '                 ')", False),
    ],
)  # fmt: skip
def test_addresses_give(text: str, expected: Any) -> None:
    program = compile_program(text)
    if expected is EvaluationError:
        with pytest.raises(EvaluationError):
            program(PAYLOAD)
        return
    assert program(PAYLOAD) == expected


def test_the_types_of_addresses_have_names() -> None:
    assert compile_program("type(ip('::1')) == net.IP")({}) is True
    assert compile_program("type(cidr('::/1'))")(None) == "net.CIDR"
