"""`carrel replay`: publish a service's events again, for a broker that lost its log."""

import asyncio
from typing import Annotated

import typer

from ops.broker.replay import replay
from ops.console import ServiceArgument, explain_outages, print_table, refuse
from ops.target import Data, settings_to_write
from shared.clock import parse_instant
from shared.contracts import published

app = typer.Typer()


def _since(value: str | None) -> str | None:
    if value:
        try:
            parse_instant(value)
        except ValueError as error:
            raise typer.BadParameter(f"{value} is no instant: {error}") from None
    return value


@app.callback(
    invoke_without_command=True,
    subcommand_metavar="",
    # Otherwise typer takes an option after SERVICE for a sub-command.
    context_settings={"allow_interspersed_args": True},
)
def replay_command(
    service: ServiceArgument,
    since: Annotated[
        str | None,
        typer.Option(callback=_since, help="Only events recorded at this instant or later."),
    ] = None,
    topic: Annotated[str | None, typer.Option(help="Only this topic.")] = None,
    data: Data = None,
) -> None:
    """Publish the published events of SERVICE again, in order; create missing topics.

    Use it for a broker that lost its log, or a consumer that must process events
    again. A consumer that processed an event before ignores it. Events are kept
    for CARREL_OUTBOX_DAYS; `carrel outbox` shows them.

    It does not rebuild the gateway's views, which depend on older events too:
    use `carrel rebuild gateway`.
    """
    if topic and topic not in published(service):
        known = ", ".join(published(service)) or "none"
        raise typer.BadParameter(f"{service} publishes {known}", param_hint="--topic")
    settings = settings_to_write(data)
    with explain_outages(settings):
        sent = asyncio.run(
            replay(settings, service, since=parse_instant(since) if since else None, topic=topic)
        )
    if not sent:
        refuse("No such events are kept, so nothing was published. See `carrel outbox`.")
    print_table(("topic", "published again"), sorted(sent.items()))
    typer.echo(f"{sum(sent.values())} events of {service} were published again.")
