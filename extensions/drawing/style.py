"""The style sheet of an SVG: type, and the colours of each family on light and on dark paper."""

from collections.abc import Iterable
from html import escape

from heddle.extensions.drawing.card import BADGE_SIZE, NAME_SIZE, PORT_SIZE
from heddle.extensions.drawing.family import FAMILIES, KindFamily
from heddle.extensions.drawing.figure import LABEL_SIZE

_SANS = 'ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif'
_MONO = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace'

_SHAPE = f"""
text{{font:500 {LABEL_SIZE}px {_MONO};stroke:none}}
.name{{font:600 {NAME_SIZE}px {_SANS}}}
.space{{font:600 12px {_SANS};letter-spacing:.02em}}
.kind{{font-size:{BADGE_SIZE}px}}
.loose{{font-size:{PORT_SIZE}px}}
.unnamed .name{{font-weight:500;font-style:italic}}
.card{{stroke-width:1.4}}
.waiting .card{{stroke-dasharray:5 4}}
.line{{fill:none;stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}}
.lifecycle .line{{stroke-dasharray:.1 4.6;stroke-width:2}}
.late .line{{stroke-dasharray:6 5}}
.stub{{fill:none;stroke-width:1.3}}
.port.lifecycle text{{font-style:italic}}
.port circle{{stroke-width:1.6}}
.ground,.paper{{stroke-width:1}}
"""

_LIGHT = """
.paper{fill:#fbfcfe;stroke:#e3e8ef}
.ground{fill:#f3f6fa;stroke:#dde4ec}
.card{fill:#fff}
.name{fill:#1b2430}
.waiting .name,.unnamed .name{fill:#5b6472}
text{fill:#5b6777}
.line{stroke:#93a0b2}.tip,.port circle{fill:#93a0b2;stroke:#fbfcfe}.tip{stroke:none}
.error .line{stroke:#dd4b5f}.error .tip,.port.error circle{fill:#dd4b5f}.port.error text{fill:#b92d42}
.lifecycle .line{stroke:#9a8cc7}.lifecycle .tip,.port.lifecycle circle{fill:#9a8cc7}
.port.lifecycle text{fill:#6d5fa0}
.stub{stroke:#93a0b2}.loose{fill:#6b7686}
"""

_DARK = """
.paper{fill:#12161d;stroke:#252c37}
.ground{fill:#171c25;stroke:#2a323e}
.card{fill:#1c222c}
.name{fill:#eef2f7}
.waiting .name,.unnamed .name{fill:#aab3c0}
text{fill:#a3afbf}
.line{stroke:#66738a}.tip,.port circle{fill:#66738a;stroke:#12161d}.tip{stroke:none}
.error .line{stroke:#ef6b7d}.error .tip,.port.error circle{fill:#ef6b7d}.port.error text{fill:#ff94a2}
.lifecycle .line{stroke:#8d7fc0}.lifecycle .tip,.port.lifecycle circle{fill:#8d7fc0}
.port.lifecycle text{fill:#b7aae6}
.stub{stroke:#66738a}.loose{fill:#95a1b2}
"""


def sheet(families: Iterable[KindFamily]) -> str:
    """Return the rules for these families, all within `.heddle`, as text for a `<style>`."""
    used = set(families)
    shown = [family for family in FAMILIES if family in used]
    light = _scoped(_LIGHT) + "".join(_colours(family, dark=False) for family in shown)
    dark = _scoped(_DARK) + "".join(_colours(family, dark=True) for family in shown)
    rules = _scoped(_SHAPE) + light + f"@media (prefers-color-scheme:dark){{\n{dark}}}\n"
    return escape("\n" + rules, quote=False)


def _colours(family: KindFamily, dark: bool) -> str:
    shade = family.dark if dark else family.light
    return (
        f".heddle .{family.name} .card{{stroke:{shade.line}}}"
        f".heddle .{family.name} .badge{{fill:{shade.wash}}}"
        f".heddle .{family.name} .kind{{fill:{shade.ink}}}\n"
    )


def _scoped(rules: str) -> str:
    """Put every selector below `.heddle`: within a page the sheet colours nothing else."""
    lines = []
    for line in rules.strip().splitlines():
        for rule in filter(None, line.split("}")):
            names, _, body = rule.partition("{")
            scoped = ",".join(f".heddle {name}" for name in names.split(","))
            lines.append(f"{scoped}{{{body}}}")
    return "\n".join(lines) + "\n"
