"""Grafana's dashboards of Carrel: `make dashboards` writes them as JSON in .data/dashboards.

Each chart is a title, its unit, and its queries by legend. They use the metrics of docs/metrics.md
and the recorded ones of deploy/prometheus/rules.yml; the scraper's `job` is the service.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from grafana_foundation_sdk.builders import common, dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableOption

SERVICES = ("accounts", "circulation", "events", "notices", "gateway")
SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
SECONDS, SHARE, RATE, COUNT, BYTES = "s", "percentunit", "reqps", "short", "bytes"


class Chart(NamedTuple):
    """A chart: its title, the unit of its values, and its queries by the text of their legend."""

    title: str
    unit: str
    queries: Mapping[str, str]


def requests(kept: str, by: str = "status") -> str:
    """Return the query of the requests a second with some labels."""
    return f"sum by ({by}) (rate(carrel_http_request_seconds_count{{{kept}}}[$__rate_interval]))"


def times(metric: str, kept: str = "", by: str = "") -> dict[str, str]:
    """Return the queries of the median and the 99th percentile of a histogram of seconds."""
    own = f" {{{{{by}}}}}" if by else ""
    labels = f"le, {by}" if by else "le"
    rate = f"sum by ({labels}) (rate({metric}_bucket{{{kept}}}[$__rate_interval]))"
    return {
        f"{name}{own}": f"histogram_quantile({share}, {rate})"
        for name, share in {"median": 0.5, "99%": 0.99}.items()
    }


def met(objective: str) -> Chart:
    """Return the chart of an objective: the share of what met it, and what is asked."""
    kept = f'{{objective="{objective}"}}'
    return Chart(
        f"Objective: {objective}",
        SHARE,
        {
            "an hour": f"1 - carrel:bad:ratio1h{kept}",
            "three days": f"1 - carrel:bad:ratio3d{kept}",
            "asked": f"1 - carrel:budget{kept}",
        },
    )


def most(labels: str, expression: str, number: int = 10) -> str:
    """Return the query of the greatest sums by labels."""
    return f"topk({number}, sum by ({labels}) ({expression}))"


HTTP = "carrel_http_request_seconds"
ACCOUNT = 'service="gateway",method="GET",route=~"/|/v1/me"'
PAGES = 'service="gateway",route!~"/v1/.*|none"'
MONEY = 'service="circulation",route=~"/v1/.*(charges|payments|tills|fine).*"'
OF_ONE = 'job="$service"'

PATRONS = (
    met("account"),
    Chart("Accounts shown, by status", RATE, {"{{status}}": requests(ACCOUNT)}),
    Chart("Time to show an account", SECONDS, times(HTTP, ACCOUNT)),
    Chart(
        "Log-ins, by status",
        RATE,
        {"{{status}}": requests('service="accounts",method="POST",route="/v1/sessions"')},
    ),
    Chart(
        "The synthetic patron's steps",
        SECONDS,
        {
            "{{step}}": "max by (step) (carrel_synthetic_patron_seconds)",
            "failed {{step}}": "1 - min by (step) (carrel_synthetic_patron_ok)",
        },
    ),
    Chart("Pages, by status", RATE, {"{{status}}": requests(PAGES)}),
    Chart("Time of pages", SECONDS, times(HTTP, PAGES)),
    met("command"),
    Chart(
        "Refusals in an hour, by code",
        COUNT,
        {"{{code}}": most("code", "increase(carrel_refusals_total[1h])")},
    ),
    Chart("Open accounts that follow changes", COUNT, {"streams": "sum(carrel_streams_open)"}),
    Chart(
        "Sent, and tried again, in an hour",
        COUNT,
        {
            f"{{{{state}}}} {kind}": f"sum by (state) (increase({metric}_total[1h]))"
            for kind, metric in {
                "e-mails": "carrel_deliveries",
                "to devices": "carrel_push_messages",
                "to webhooks": "carrel_webhook_messages",
            }.items()
        },
    ),
)
FLOW = (
    met("event"),
    Chart("Age at the end of processing", SECONDS, times("carrel_event_age_seconds", by="job")),
    Chart(
        "Published in a second, by topic",
        COUNT,
        {"{{topic}}": most("topic", "rate(carrel_outbox_relayed_total[$__rate_interval])")},
    ),
    Chart(
        "Processed in a second, by service",
        COUNT,
        {
            "{{job}}": "sum by (job) "
            "(rate(carrel_received_processed_messages_total[$__rate_interval]))"
        },
    ),
    Chart(
        "Age of the oldest event that waits to be published",
        SECONDS,
        {"{{job}}": "max by (job) (carrel_outbox_age_seconds)"},
    ),
    Chart(
        "Events that wait to be published",
        COUNT,
        {"{{job}}": "max by (job) (carrel_outbox_pending_events)"},
    ),
    Chart(
        "Events to process, by service",
        COUNT,
        {"{{job}}": "sum by (job) (carrel_consumer_lag_events)"},
    ),
    Chart(
        "Events to process, by topic",
        COUNT,
        {"{{topic}} {{job}}": most("job, topic", "carrel_consumer_lag_events")},
    ),
    Chart(
        "Tries again in a second",
        COUNT,
        {
            "{{reason}} {{job}}": "sum by (job, reason) "
            "(rate(carrel_event_retries_total[$__rate_interval]))"
        },
    ),
    Chart(
        "Dead letters that wait, and seconds of a held message",
        COUNT,
        {
            "{{job}}": "max by (job) (carrel_dead_letters_waiting)",
            "held": "max(carrel_message_held_seconds) or vector(0)",
        },
    ),
    Chart(
        "Processes that publish",
        COUNT,
        {"{{job}}": "sum by (job) (carrel_relay_lease_held)"},
    ),
)
SERVICE = (
    Chart(
        "Processes, by version",
        COUNT,
        {
            "{{version}}": f"count by (version) (carrel_build_info{{{OF_ONE}}})",
            "answer": f"sum(up{{{OF_ONE}}})",
        },
    ),
    Chart("Requests, by status", RATE, {"{{status}}": requests(OF_ONE)}),
    Chart(
        "99% of the slowest routes",
        SECONDS,
        {
            "{{method}} {{route}}": "topk(10, histogram_quantile(0.99, sum by (le, method, route) "
            f"(rate({HTTP}_bucket{{{OF_ONE}}}[$__rate_interval]))))"
        },
    ),
    Chart(
        "Answers 500, and failures of tasks, in an hour",
        COUNT,
        {
            "500": f"sum(increase(carrel_http_errors_total{{{OF_ONE}}}[1h]))",
            "{{task}}": "sum by (task) "
            f"(increase(carrel_background_task_failures_total{{{OF_ONE}}}[1h]))",
        },
    ),
    Chart(
        "Requests in progress",
        COUNT,
        {"{{instance}}": f"sum by (instance) (carrel_http_requests_in_flight{{{OF_ONE}}})"},
    ),
    Chart(
        "Processors used",
        COUNT,
        {"{{instance}}": f"rate(process_cpu_seconds_total{{{OF_ONE}}}[$__rate_interval])"},
    ),
    Chart("Memory", BYTES, {"{{instance}}": f"process_resident_memory_bytes{{{OF_ONE}}}"}),
    Chart("Open files", COUNT, {"{{instance}}": f"process_open_fds{{{OF_ONE}}}"}),
    Chart(
        "Time since the start",
        SECONDS,
        {"{{instance}}": f"time() - process_start_time_seconds{{{OF_ONE}}}"},
    ),
    Chart(
        "Runs of jobs in an hour",
        COUNT,
        {
            "{{exported_job}} {{outcome}}": most(
                "exported_job, outcome", f"increase(carrel_job_rounds_total{{{OF_ONE}}}[1h])", 20
            )
        },
    ),
    Chart(
        "Services that the gateway does not call",
        COUNT,
        {
            "{{owner}} {{calls}}": "max by (owner, calls) (carrel_owner_circuit_open)",
            "refused {{owner}}": "sum by (owner) "
            "(rate(carrel_owner_calls_refused_total[$__rate_interval]))",
        },
    ),
)
MONEY_BOARD = (
    Chart(
        "Fines in an hour: assessed, adjusted, paid, waived",
        COUNT,
        {
            "{{topic}}": "sum by (topic) "
            '(increase(carrel_outbox_relayed_total{topic=~"fine[.].*"}[1h]))'
        },
    ),
    Chart("Requests about money, by status", RATE, {"{{status}}": requests(MONEY)}),
    Chart(
        "Requests about money, by route",
        RATE,
        {"{{method}} {{route}}": requests(MONEY, "method, route")},
    ),
    Chart("Their time", SECONDS, times(HTTP, MONEY)),
    Chart(
        "Runs of its jobs in an hour",
        COUNT,
        {
            "{{exported_job}} {{outcome}}": "sum by (exported_job, outcome) (increase("
            'carrel_job_rounds_total{exported_job=~"payments|rework-fines|lost|overdue"}[1h]))'
        },
    ),
    Chart(
        "Refusals in an hour",
        COUNT,
        {"{{code}}": most("code", 'increase(carrel_refusals_total{job="circulation"}[1h])')},
    ),
    Chart("Findings of the last audit", COUNT, {"findings": "max(carrel_audit_findings)"}),
    Chart(
        "Time since the last audit",
        SECONDS,
        {"audit": "time() - (max(carrel_audit_timestamp_seconds) > 0)"},
    ),
)
BOARDS: Mapping[str, tuple[str, Sequence[Chart]]] = {
    "patrons": ("Carrel: patrons", PATRONS),
    "events": ("Carrel: flow of events", FLOW),
    "service": ("Carrel: one service", SERVICE),
    "money": ("Carrel: money", MONEY_BOARD),
}


def panel(chart: Chart) -> timeseries.Panel:
    """Return the panel of a chart."""
    made = timeseries.Panel().title(chart.title).unit(chart.unit).datasource(SOURCE)
    made = made.span(12).height(8).min(0).fill_opacity(5).span_nulls(True)
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST)
    made = made.legend(legend.placement(LegendPlacement.BOTTOM).show_legend(True))
    for number, (text, expression) in enumerate(chart.queries.items()):
        query = prometheus.Dataquery().expr(expression).legend_format(text).range()
        made = made.with_target(query.ref_id(chr(ord("A") + number)))
    return made


def board(name: str) -> str:
    """Return a dashboard as JSON."""
    title, charts = BOARDS[name]
    made = dashboard.Dashboard(title).uid(f"carrel-{name}").tags(["carrel"]).refresh("30s")
    made = made.time("now-6h", "now").timezone("browser").readonly()
    made = made.with_variable(dashboard.DatasourceVariable("source").type("prometheus"))
    if any(OF_ONE in query for chart in charts for query in chart.queries.values()):
        first = VariableOption(selected=True, text=SERVICES[1], value=SERVICES[1])
        choice = dashboard.CustomVariable("service").values(",".join(SERVICES)).current(first)
        made = made.with_variable(choice)
    for chart in charts:
        made = made.with_panel(panel(chart))
    return json.dumps(made.build(), cls=JSONEncoder, indent=2, sort_keys=True)


def main(folder: Path) -> None:
    """Write each dashboard to a file of its name in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in BOARDS:
        (folder / f"{name}.json").write_text(board(name) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
