"""heddle version: which Heddle this is, and which extensions are installed."""

import click

from heddle.cli.group import ExampleCommand
from heddle.cli.options import JSON


@click.command(
    cls=ExampleCommand,
    short_help="Show the version, and the extensions that are installed.",
    examples=[("For a bug report", "heddle version --json")],
    shapes=[
        (
            "--json",
            "{version, python, platform, extensions: [{name, module, distribution, version}]}",
        )
    ],
)
@JSON
def command(as_json: bool) -> None:
    """Show the versions of Heddle and Python, the platform, and the installed extensions.

    Extensions are listed, not loaded: a broken one is listed, too.
    """
    import platform
    from importlib.metadata import entry_points

    from heddle import __version__

    points = sorted(entry_points(group="heddle.extensions"), key=lambda point: point.name)
    shown = {
        "version": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "extensions": [
            {
                "name": point.name,
                "module": point.value,
                "distribution": point.dist.name if point.dist is not None else "",
                "version": point.dist.version if point.dist is not None else "",
            }
            for point in points
        ],
    }
    if as_json:
        from heddle.cli.views.output import print_json

        print_json(shown)
        return
    click.echo(f"heddle {__version__}")
    click.echo(f"Python {shown['python']} on {shown['platform']}")
    for point in points:
        dist = f"{point.dist.name} {point.dist.version}" if point.dist is not None else "?"
        click.echo(f"extension {point.name} ({point.value}) of {dist}")
