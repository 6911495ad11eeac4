"""The files of deploy/ use what Heddle offers to those who run it."""

import re
from pathlib import Path

from heddle.cli import health
from heddle.cli.settings_fields import SettingsFile
from heddle.schemas.shape import fields_of

DEPLOY = Path(__file__).parent.parent / "deploy"
TEMPLATES = DEPLOY / "helm" / "heddle" / "templates"


def test_the_chart_asks_each_probe_what_it_is_for() -> None:
    text = (TEMPLATES / "deployment.yaml").read_text()
    asked = dict(re.findall(r"(\w+)Probe:\n\s+httpGet: {path: (\S+), port: health}", text))
    assert asked == {"startup": "/startupz", "readiness": "/readyz", "liveness": "/livez"}
    assert all(f"`{path}`" in (health.__doc__ or "") for path in asked.values())


def test_the_chart_sets_settings_that_there_are_and_waits_for_them() -> None:
    known = {field.name for field in fields_of(SettingsFile)}
    table = (TEMPLATES / "settings.yaml").read_text().partition("[namespaces")[0]
    assert set(re.findall(r"^    (\w+) =", table, re.MULTILINE)) == {"drain", "lag"} <= known
    grace = "terminationGracePeriodSeconds: {{ add .Values.lagSeconds .Values.drainSeconds 10 }}"
    assert grace in (TEMPLATES / "deployment.yaml").read_text()


def test_the_unit_waits_until_heddle_says_that_it_serves() -> None:
    lines = (DEPLOY / "systemd" / "heddle.service").read_text().splitlines()
    assert {"Type=notify", "NotifyAccess=main", "WatchdogSec=30"} <= set(lines)
