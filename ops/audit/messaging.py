"""Checks of the broker, its topics, and the flow of events to their consumers."""

from ops.audit.events import lost_at_ends
from ops.audit.findings import Finding, first_of
from ops.audit.security import check_broker_user
from ops.broker import topics
from ops.broker.dead_letters import Filter, find_dead_letters, find_held
from ops.broker.offsets import Positions, subscribed_topics
from services.settings import Settings

LAG_LIMIT = 1000
SAFE_COPIES = 3


async def check_broker(settings: Settings) -> list[Finding]:
    """Check the broker, the topics, and that each service consumes its events in time."""
    async with Positions(settings) as positions:
        brokers = len((await positions.admin.describe_cluster())["brokers"])
        findings = [
            Finding("broker", "ok", f"{brokers} answering at {settings.kafka}"),
            check_broker_user(settings),
        ]
        lags = await positions.lags()
        findings.append(await _members(positions))
    found = await topics.inspect(settings)
    faults = [f"{topic.topic} {topic.fault}" for topic in found if topic.fault]
    notes = [f"{topic.topic} has {topic.note}" for topic in found if topic.note]
    prefix = settings.topic_prefix
    named = f", named {prefix}…" if prefix else ""
    remedy = "carrel topics check lists all; carrel topics create creates the missing ones"
    if faults:
        findings.append(Finding("topics", "fail", first_of(faults), remedy))
    elif notes:
        findings.append(Finding("topics", "warn", first_of(notes), "carrel topics check lists all"))
    else:
        findings.append(Finding("topics", "ok", f"{len(found)} as declared{named}"))
    findings.append(_copies(found))
    behind = sorted((lag for lag in lags if lag.lag), key=lambda lag: -lag.lag)
    total = sum(lag.lag for lag in behind)
    if total <= LAG_LIMIT:
        findings.append(Finding("consumers", "ok", f"{total} events behind"))
    else:
        worst = behind[0]
        found_lag = f"{total} events behind; {worst.service} {worst.lag} of {worst.topic}"
        remedy = f"check that {worst.service} runs with the role consumers; carrel lag lists all"
        findings.append(Finding("consumers", "warn", found_lag, remedy))
    return findings


async def _members(positions: Positions) -> Finding:
    """Check that a process consumes for each service; the numbers show replicas that are gone."""
    members = {service: await positions.members(service) for service in subscribed_topics()}
    if stopped := [service for service, count in members.items() if not count]:
        remedy = "start a process of each with the role consumers; meanwhile its events wait"
        return Finding("members", "fail", f"nobody consumes for {', '.join(stopped)}", remedy)
    counts = ", ".join(f"{service} {count}" for service, count in members.items())
    return Finding("members", "ok", f"processes that consume: {counts}")


def _copies(found: list[topics.Topic]) -> Finding:
    """Check that events survive the loss of a broker."""
    copies = min((topic.replication for topic in found if topic.partitions), default=0)
    if copies >= SAFE_COPIES:
        return Finding("copies", "ok", f"{copies} of each topic")
    remedy = (
        "for production use three brokers, and set CARREL_REPLICATION=3 before topics are created; "
        "for existing topics, use kafka-reassign-partitions and min.insync.replicas=2"
    )
    return Finding(
        "copies", "warn", f"{copies} of a topic: if its broker is lost, its events are lost", remedy
    )


async def check_topics_and_outboxes(settings: Settings) -> Finding:
    """Check that the databases that published the last events of the topics know them."""
    lost = await lost_at_ends(settings)
    if not lost:
        return Finding(
            "topics and outboxes", "ok", "the last events of the topics are in the outboxes"
        )
    found = f"topics have events of changes that the databases lack: {lost[0].topic}"
    remedy = (
        "was a backup restored, or does another system use this Kafka? carrel restore check lists "
        "the changes; docs/runbook.md says how to continue"
    )
    return Finding("topics and outboxes", "fail", found, remedy)


async def check_held(settings: Settings) -> Finding:
    """Find the messages that hold their partitions."""
    found = await find_held(settings)
    if not found:
        return Finding("held messages", "ok", "no message blocks its partition")
    service, message = found[0]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    remedy = (
        "read in the service's log what it waits for (`waiting`); if the message itself is at "
        f"fault: carrel dead-letters add {service} {message.place}"
    )
    return Finding("held messages", "warn", f"{service}: {message}{more}", remedy)


async def check_dead_letters(settings: Settings) -> Finding:
    """Check that no message waits for a decision."""
    waiting = await find_dead_letters(settings, Filter())
    if not waiting:
        return Finding("dead letters", "ok", "none")
    remedy = "carrel dead-letters list; then retry or discard them"
    return Finding("dead letters", "warn", f"{len(waiting)} waiting for a decision", remedy)
