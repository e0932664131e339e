"""The alert rules of docs/metrics.md, evaluated by Prometheus' own tool, and what they watch."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from services.events.app import JOBS, SUBSCRIPTIONS, create_app
from services.events.settings import Settings
from tests.support import SERVICE_KEYS, served, until
from tests.systems import PROJECT

PROMTOOL = shutil.which("promtool")
RULES = re.findall(r"```yaml\n(.*?)```", (PROJECT / "docs" / "metrics.md").read_text(), re.DOTALL)

UP = {f'up{{job="{job}"}}': "1x20" for job in ("accounts", "circulation", "events", "notices")}
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "CarrelDeadLetters": (
        {'carrel_dead_letters_total{job="events",topic="patron.erased"}': "0x10 1x10"},
        {"job": "events", "topic": "patron.erased"},
    ),
    "CarrelErrors": (
        {'carrel_http_errors_total{job="events",service="events"}': "0x14 1x6"},
        {"service": "events"},
    ),
    "CarrelDown": ({'up{job="gateway"}': "1x10 0x10"}, {"job": "gateway"}),
    "CarrelMissing": ({'up{job="gateway"}': "1x10 stale"}, {"job": "gateway"}),
    "CarrelJobFails": (
        {'carrel_job_rounds_total{job="notices",outcome="failed"}': "0x10 3x10"},
        {"job": "notices", "outcome": "failed"},
    ),
    "CarrelBackgroundTaskFails": (
        {'carrel_background_task_failures_total{job="events",task="relay"}': "0x12 1x8"},
        {"job": "events", "task": "relay"},
    ),
}
"""For each alert the series that raise it, one value a minute, and its labels after 20 minutes."""


@pytest.mark.skipif(not PROMTOOL, reason="promtool is missing (on Debian: apt install prometheus)")
@pytest.mark.parametrize("alert", CASES)
def test_the_first_event_of_its_kind_raises_its_alert_and_none_is_raised_before(
    alert: str, tmp_path: Path
) -> None:
    series, labels = CASES[alert]
    every = UP | {'up{job="gateway"}': "1x20"} | series
    (tmp_path / "rules.yml").write_text(RULES[0])
    expected = [
        {"alertname": alert, "eval_time": "9m"},
        {"alertname": alert, "eval_time": "16m", "exp_alerts": [{"exp_labels": labels}]},
    ]
    document: Any = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": s, "values": v} for s, v in every.items()],
                "alert_rule_test": expected,
            }
        ],
    }
    (tmp_path / "tests.yml").write_text(json.dumps(document))  # YAML has JSON in it
    ran = subprocess.run(
        [str(PROMTOOL), "test", "rules", "tests.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


async def test_counters_that_alerts_watch_are_there_before_anything_happens(
    mongo_url: str, database: str, kafka: str
) -> None:
    settings = Settings(
        mongo_url=mongo_url,
        database_prefix=database,
        kafka=kafka,
        partitions=1,
        service_key=SERVICE_KEYS["events"],
    )
    async with served(create_app, settings) as api:

        async def shown() -> set[str]:
            text = (await api.operations("/metrics")).body.decode()
            return set(re.findall(r"^(carrel_\w+\{.*\}) ", text, re.MULTILINE))

        wanted = {'carrel_http_errors_total{service="events"}'}
        for topic in SUBSCRIPTIONS.by_topic:
            wanted.add(f'carrel_dead_letters_total{{topic="{topic}"}}')
            wanted.add(f'carrel_event_retries_total{{reason="away",topic="{topic}"}}')
        for job in JOBS.by_name:
            wanted.add(f'carrel_job_rounds_total{{job="{job}",outcome="failed"}}')

        async def all_there() -> bool:
            return wanted <= await shown()

        await until(all_there)
