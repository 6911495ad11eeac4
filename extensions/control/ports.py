"""Ports that a Spec links: those that its kind would never send to are Problems."""

from heddle.extensions.extension import Build
from heddle.schemas.port import canonical, parse_port


def linked_outs(build: Build) -> list[int]:
    """Return the numbers of the ports `out[i]` that something is linked to, in order."""
    linked = []
    for name, links in build.spec.ports.items():
        parsed = parse_port(canonical(name))
        if parsed is not None and parsed[0] == "out" and links:
            linked.append(parsed[1] or 0)
    return sorted(set(linked))


def out_name(number: int) -> str:
    """Return the canonical name of `out[number]`."""
    return f"out[{number}]" if number else "out"


def only_outs(build: Build, *known: str) -> None:
    """Refuse links of ports `out[i]` past these: `known` says what each is for, from `out[0]` on."""
    for name in build.spec.ports:
        parsed = parse_port(canonical(name))
        if parsed is not None and parsed[0] == "out" and (parsed[1] or 0) >= len(known):
            build.reject(
                "ports",
                name,
                code="unknown-port",
                found=f'nothing is ever sent to "{name}"',
                expected=", ".join(
                    f"out[{number}] ({subject})" for number, subject in enumerate(known)
                ),
            )
