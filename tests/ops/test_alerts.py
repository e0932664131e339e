"""The rules of deploy/prometheus, evaluated by Prometheus' own tool, and what they watch."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.events.app import JOBS, SUBSCRIPTIONS, create_app
from services.events.settings import Settings
from services.registry import NAMES, OWNERS
from tests.ops.test_documents import anchors
from tests.support import SERVICE_KEYS, served, until
from tests.systems import PROJECT

PROMTOOL = shutil.which("promtool")
RULES = PROJECT / "deploy" / "prometheus" / "rules.yml"
_GROUPS = yaml.safe_load(RULES.read_text())["groups"]
GROUPS = [group["name"] for group in _GROUPS]
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in _GROUPS for rule in group["rules"] if "alert" in rule
}
NEEDS_PROMTOOL = pytest.mark.skipif(
    not PROMTOOL, reason="promtool is missing (on Debian: apt install prometheus)"
)

ACCOUNT = 'job="gateway",service="gateway",method="GET",route="/v1/me",status="{}"'
COMMAND = 'job="gateway",service="gateway",method="POST",route="/v1/{path:path}",status="{}"'

CIRCUIT = 'job="gateway",owner="events",address="e",calls="reads"'
JOB = 'job="notices",exported_job="deliveries"'


def requests(labels: str, status: int, le: str, values: str, fast: str) -> dict[str, str]:
    """Return the series of a histogram of requests: all of them, and those within `le`."""
    of = labels.replace("{}", str(status))
    name = "carrel_http_request_seconds"
    return {f"{name}_count{{{of}}}": values, f'{name}_bucket{{{of},le="{le}"}}': fast}


def usual(minutes: int) -> dict[str, str]:
    """Return the series of a day on which all is well, one value a minute."""
    flat = {
        **{f'up{{job="{name}"}}': 1 for name in NAMES},
        **{f'carrel_relay_lease_held{{job="{name}",instance="a"}}': 1 for name in OWNERS},
        **{f'carrel_relay_lease_held{{job="{name}",instance="b"}}': 0 for name in OWNERS},
        'carrel_views_whole{job="gateway"}': 1,
        'carrel_audit_timestamp_seconds{job="gateway"}': 14_400,
        'carrel_audit_findings{job="gateway"}': 0,
        'carrel_synthetic_patron_ok{job="gateway",step="loans"}': 1,
        'carrel_dead_letters_waiting{job="events"}': 0,
        'carrel_http_errors_total{job="events",service="events"}': 0,
        'carrel_streams_open{job="gateway",instance="a"}': 300,
        'carrel_outbox_age_seconds{job="notices"}': 2,
        'carrel_http_requests_in_flight{job="circulation",instance="a"}': 4,
        f"carrel_owner_circuit_open{{{CIRCUIT}}}": 0,
        f'carrel_job_rounds_total{{{JOB},outcome="failed"}}': 1,
        'carrel_background_task_failures_total{job="events",task="relay"}': 0,
        'process_start_time_seconds{job="events"}': 5,
        'carrel_event_retries_total{job="notices",topic="loan.overdue",reason="away"}': 3,
    }
    rising = {
        f'carrel_job_rounds_total{{{JOB},outcome="done"}}': 12,
        'carrel_backup_timestamp_seconds{job="gateway"}': 60,
        'carrel_event_age_seconds_count{job="notices"}': 600,
        'carrel_event_age_seconds_bucket{job="notices",le="10.0"}': 600,
        'carrel_deliveries_total{job="notices",state="sent"}': 40,
        'carrel_deliveries_total{job="notices",state="waiting"}': 1,
    }
    return (
        {series: f"{value}x{minutes}" for series, value in flat.items()}
        | {series: f"0+{value}x{minutes}" for series, value in rising.items()}
        | requests(ACCOUNT, 200, "0.5", f"0+6000x{minutes}", f"0+5999x{minutes}")
        | requests(COMMAND, 201, "1.0", f"0+900x{minutes}", f"0+899x{minutes}")
        | {
            # a closure of many loans, which is worked off
            'carrel_consumer_lag_events{job="notices",topic="loan.due-date-moved"}': (
                f"4000-200x20 0x{max(minutes - 21, 0)}"
            )
        }
    )


@dataclass(frozen=True)
class Case:
    """The series that raise an alert, which is silent at the minute `before` and fires at `at`."""

    series: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    before: int = 9
    at: int = 20
    every: str = "1m"
    """Interval at which the rules are evaluated."""


def burning(objective: str, series: Mapping[str, str], at: int = 20) -> Case:
    """Return the case of an objective that is missed from the 10th minute on."""
    return Case(series, {"objective": objective}, at=at)


WORKS_THEN_FAILS = "0+90x9 810x20"
CASES: dict[str, list[Case]] = {
    "CarrelBudgetBurns": [
        # all reads fail, and no process has given a good answer since its start
        burning(
            "account",
            requests(ACCOUNT, 200, "0.5", "0+90x9 stale", "0+90x9 stale")
            | requests(ACCOUNT, 503, "0.5", "0x9 0+90x60", "0x9 0+90x60"),
            at=60,
        ),
        burning("command", requests(COMMAND, 201, "1.0", "0+90x30", WORKS_THEN_FAILS)),
        burning(
            "event",
            {
                'carrel_event_age_seconds_count{job="notices"}': "0+60x30",
                'carrel_event_age_seconds_bucket{job="notices",le="10.0"}': "0+60x9 540x20",
            },
        ),
    ],
    "CarrelBudgetBurnsSlowly": [
        Case(
            requests(ACCOUNT, 200, "0.5", "0+1000x6000", "0+998x6000"),
            {"objective": "account"},
            before=30,
            at=600,
            every="10m",
        )
    ],
    "CarrelSyntheticPatron": [
        Case(
            {'carrel_synthetic_patron_ok{job="gateway",step="log-in"}': "1x9 0x20"},
            {"step": "log-in"},
        )
    ],
    "CarrelAuditFindings": [Case({'carrel_audit_findings{job="gateway"}': "0x9 2x40"}, at=30)],
    "CarrelAuditMissing": [
        Case(
            {'carrel_audit_timestamp_seconds{job="gateway"}': "14400x3000"},
            before=2300,
            at=2480,
            every="10m",
        )
    ],
    "CarrelBackupMissing": [
        # the backups of each hour stop
        Case(
            {'carrel_backup_timestamp_seconds{job="gateway"}': "0+60x60 3600x400"},
            before=230,
            at=300,
            every="5m",
        ),
        # none was ever taken
        Case(
            {'carrel_backup_timestamp_seconds{job="gateway"}': "0x400"},
            before=170,
            at=240,
            every="5m",
        ),
    ],
    "CarrelDown": [Case({'up{job="gateway"}': "1x10 0x10"}, {"job": "gateway"})],
    "CarrelMissing": [Case({'up{job="gateway"}': "1x10 stale"}, {"job": "gateway"})],
    "CarrelRestarts": [
        Case(
            {'process_start_time_seconds{job="events"}': "5x9 60 120 180 240x10"}, {"job": "events"}
        )
    ],
    "CarrelBackgroundTaskFails": [
        Case(
            {'carrel_background_task_failures_total{job="events",task="relay"}': "0x12 1x8"},
            {"job": "events", "task": "relay"},
        )
    ],
    "CarrelErrors": [
        Case(
            {'carrel_http_errors_total{job="events",service="events"}': "0x16 1x6"},
            {"service": "events"},
        )
    ],
    "CarrelAway": [
        Case(requests(COMMAND, 503, "1.0", "0x9 0+90x20", "0x9 0+90x20"), {"service": "gateway"})
    ],
    "CarrelBusy": [
        Case(
            {
                'carrel_http_requests_in_flight{job="circulation",instance="a"}': "4x9 190x20",
                'carrel_http_requests_in_flight{job="circulation",instance="b"}': "4x9 30x20",
            },
            {"job": "circulation"},
        )
    ],
    "CarrelCircuitOpen": [
        Case(
            {
                f"carrel_owner_circuit_open{{{CIRCUIT}}}": "0x9 1x20",
            },
            {"owner": "events", "address": "e"},
        )
    ],
    "CarrelAccountsNotShown": [Case({'carrel_views_whole{job="gateway"}': "1x9 0x20"})],
    "CarrelStreamsFull": [
        Case({'carrel_streams_open{job="gateway",instance="a"}': "300x9 720x20"}, {"instance": "a"})
    ],
    "CarrelEventsWait": [
        Case({'carrel_outbox_age_seconds{job="notices"}': "2x9 0+60x20"}, {"job": "notices"})
    ],
    "CarrelNobodyRelays": [
        # the lease is free, and nobody takes it
        Case({'carrel_relay_lease_held{job="events",instance="a"}': "1x9 0x20"}, {"job": "events"}),
        # all processes of the service are gone
        Case(
            {
                'carrel_relay_lease_held{job="circulation",instance="a"}': "1x9 stale",
                'carrel_relay_lease_held{job="circulation",instance="b"}': "0x9 stale",
            },
            {"job": "circulation"},
        ),
    ],
    "CarrelConsumerBehind": [
        Case(
            {
                'carrel_consumer_lag_events{job="notices",topic="loan.due-date-moved"}': (
                    "0x9 900+300x40"
                )
            },
            {"job": "notices"},
            at=40,
        )
    ],
    "CarrelDeadLetters": [
        Case({'carrel_dead_letters_waiting{job="events"}': "0x10 1x10"}, {"job": "events"})
    ],
    "CarrelMessageHeld": [
        Case(
            {'carrel_message_held_seconds{job="notices",topic="loan.overdue"}': "_x9 240+60x20"},
            {"job": "notices", "topic": "loan.overdue"},
        )
    ],
    "CarrelWaitsForSomething": [
        Case(
            {
                'carrel_event_retries_total{job="notices",topic="loan.overdue",reason="away"}': (
                    "3x9 3+6x20"
                )
            },
            {"job": "notices", "topic": "loan.overdue"},
        )
    ],
    "CarrelJobFails": [
        Case(
            {
                f'carrel_job_rounds_total{{{JOB},outcome="failed"}}': "1x10 4x10",
            },
            {"job": "notices", "exported_job": "deliveries"},
        )
    ],
    "CarrelJobStands": [
        Case(
            {f'carrel_job_rounds_total{{{JOB},outcome="done"}}': ("0+12x60 720x400")},
            {"job": "notices", "exported_job": "deliveries"},
            before=200,
            at=380,
            every="5m",
        )
    ],
    **{
        alert: [
            Case(
                {
                    f'carrel_{name}_total{{job="notices",state="sent"}}': "0+40x9 360x60",
                    f'carrel_{name}_total{{job="notices",state="waiting"}}': "0x9 0+5x60",
                },
                at=50,
            )
        ]
        for alert, name in {
            "CarrelMailWaits": "deliveries",
            "CarrelWebhooksWait": "webhook_messages",
            "CarrelPushesWait": "push_messages",
        }.items()
    },
}
"""For each alert the series that raise it, one value a minute."""


def test_each_alert_has_a_severity_and_a_section_of_the_runbook_and_cases() -> None:
    assert list(CASES) == list(ALERTS)
    sections = list(anchors(PROJECT / "docs" / "runbook.md"))
    of_alerts = [one for one in sections if one.startswith("carrel")]
    assert sorted(of_alerts) == sorted(name.lower() for name in ALERTS)
    text = (PROJECT / "docs" / "runbook.md").read_text()
    for name, rule in ALERTS.items():
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"
        severity = rule["labels"]["severity"].capitalize()
        assert f"## {name}\n\n{severity}: " in text


def evaluated(folder: Path, every: str, series: Mapping[str, str], tests: list[Any]) -> None:
    """Let promtool evaluate the rules on series of one value a minute."""
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": every,
        "group_eval_order": GROUPS,
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": s, "values": v} for s, v in series.items()],
                "alert_rule_test": tests,
            }
        ],
    }
    (folder / "tests.yml").write_text(json.dumps(document))  # YAML has JSON in it
    ran = subprocess.run(
        [str(PROMTOOL), "test", "rules", "tests.yml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@NEEDS_PROMTOOL
def test_prometheus_accepts_the_configuration_for_kubernetes(tmp_path: Path) -> None:
    """Debian's Prometheus can't look for pods: what does so is left out."""
    document = yaml.safe_load(RULES.with_name("prometheus.yml").read_text())
    [scraping] = document["scrape_configs"]
    assert scraping.pop("kubernetes_sd_configs") == [
        {"role": "pod", "namespaces": {"names": ["carrel"]}}
    ]
    document["rule_files"] = [str(RULES)]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(document))
    command = [str(PROMTOOL), "check", "config", str(tmp_path / "prometheus.yml")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@NEEDS_PROMTOOL
@pytest.mark.parametrize(
    ("alert", "case"), [(alert, case) for alert, cases in CASES.items() for case in cases]
)
def test_an_alert_is_silent_before_and_fires(alert: str, case: Case, tmp_path: Path) -> None:
    rule = ALERTS[alert]
    labels = {**case.labels, **rule["labels"]}
    fires = {"exp_labels": labels, "exp_annotations": shown(rule["annotations"], labels)}
    if "$value" in rule["annotations"]["summary"]:
        fires["exp_annotations"]["summary"] = "The last audit had 2 findings"
    series = {**usual(case.at + 60), **case.series}
    evaluated(
        tmp_path,
        case.every,
        series,
        [
            {"alertname": alert, "eval_time": f"{case.before}m"},
            {"alertname": alert, "eval_time": f"{case.at}m", "exp_alerts": [fires]},
        ],
    )


def shown(annotations: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """Return annotations with the values of labels in place of their names."""
    return {
        name: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], text)
        for name, text in annotations.items()
    }


@NEEDS_PROMTOOL
def test_all_alerts_are_silent_through_a_quiet_day(tmp_path: Path) -> None:
    hours = range(1, 25)
    silent = [{"alertname": alert, "eval_time": f"{hour}h"} for alert in ALERTS for hour in hours]
    evaluated(tmp_path, "5m", usual(24 * 60), silent)


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

        async def exposed() -> set[str]:
            text = (await api.operations("/metrics")).body.decode()
            return set(re.findall(r"^(carrel_\w+\{.*\}) ", text, re.MULTILINE))

        wanted = {'carrel_http_errors_total{service="events"}'}
        for topic in SUBSCRIPTIONS.by_topic:
            wanted.add(f'carrel_dead_letters_total{{topic="{topic}"}}')
            wanted.add(f'carrel_event_retries_total{{reason="away",topic="{topic}"}}')
        for job in JOBS.by_name:
            wanted.add(f'carrel_job_rounds_total{{job="{job}",outcome="failed"}}')

        async def all_there() -> bool:
            return wanted <= await exposed()

        await until(all_there)
