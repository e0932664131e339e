"""The `carrel` command: run, check and repair the system.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
"""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from pkgutil import iter_modules
from typing import Annotated, Any

import typer
from rich.console import Console

import services
from ops import commands
from ops import serve as serving
from ops.infrastructure import prepared

SERVICES = sorted(found.name for found in iter_modules(services.__path__) if found.ispkg)
SIP2 = "sip2"
"""Name of a gateway for self-check stations."""
RUNS = Path(".data")
DATA = RUNS / "up"


def _sub_commands() -> dict[str, str]:
    """Return the module in ops/commands of each sub-command, sorted by the command's name."""
    modules = [found.name for found in iter_modules(commands.__path__, f"{commands.__name__}.")]
    # `import_` is for `carrel import`: a module can't have the name of a keyword.
    return {m.rpartition(".")[2].rstrip("_").replace("_", "-"): m for m in sorted(modules)}


class _Lazy(typer.core.TyperGroup):
    """A group that imports a sub-command when it is used or listed.

    `carrel serve` starts in every process and does not use their imports.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *_sub_commands()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if module := _sub_commands().get(cmd_name):
            sub = typer.main.get_group(import_module(module).app)
            sub.name = cmd_name
            return sub
        return super().get_command(ctx, cmd_name)


app = typer.Typer(
    name="carrel",
    cls=_Lazy,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # plain ones fit a log, and a local variable may hold a PIN
)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)


def _served(value: str) -> str:
    return value if value == SIP2 else _service(value)


def _service(value: str) -> str:
    if value not in SERVICES:
        raise typer.BadParameter(f"no such service; there are {', '.join(SERVICES)}")
    return value


def _roles(value: str) -> str:
    from shared.settings import ROLES

    unknown = [role for role in value.split(",") if value and role not in ROLES]
    if unknown:
        raise typer.BadParameter(
            f"no such role: {', '.join(unknown)}; there are {', '.join(ROLES)}"
        )
    return value


Roles = Annotated[
    str,
    typer.Option(
        "--role",
        callback=_roles,
        help="Roles of each process, comma-separated: api, consumers, relay, jobs. Default: all.",
    ),
]


def _broker(value: str) -> str:
    if value not in ("embedded", "apache"):
        raise typer.BadParameter(f"no such broker: {value}; there are embedded, apache")
    return value


Broker = Annotated[
    str,
    typer.Option(
        "--kafka",
        callback=_broker,
        help="Broker to start if CARREL_KAFKA names none: embedded, or apache (needs Java).",
    ),
]


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(version("carrel"))
        raise typer.Exit


@app.callback()
def carrel(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """The services behind a public library's My Account page: run, check and repair them."""


@app.command()
def serve(
    service: Annotated[
        str,
        typer.Argument(callback=_served, help=", ".join([*SERVICES, SIP2])),
    ],
    role: Roles = "",
) -> None:
    """Run one service in this process until SIGTERM; CARREL_… variables hold its settings.

    sip2 is a gateway for self-check stations, at port 6001 unless another is set.
    """
    if service == SIP2:
        service = "gateway"
        os.environ.setdefault("CARREL_ROLES", "api")
        if not os.environ.get("CARREL_SIP2_TLS_PORT"):
            os.environ.setdefault("CARREL_SIP2_PORT", "6001")
    if role:
        os.environ["CARREL_ROLES"] = role
    serving.serve(service)


@app.command()
def up(  # noqa: PLR0917 - typer's commands are called by their options' names
    role: Roles = "",
    port: Annotated[int, typer.Option(help="Port of the gateway.", min=1, max=65535)] = 8080,
    data: Annotated[Path, typer.Option(help="Folder for data and logs.")] = DATA,
    simulation: Annotated[
        bool, typer.Option("--simulation", help="Let the header Carrel-Time set the time.")
    ] = False,
    replicas: Annotated[
        list[str] | None,
        typer.Option(metavar="SERVICE=N", help="Run N processes of a service; may be repeated."),
    ] = None,
    kafka: Broker = "embedded",
    without_services: Annotated[
        bool,
        typer.Option(
            "--no-services", help="Run the database and the broker alone, as for a restore."
        ),
    ] = False,
    demonstration: Annotated[
        bool,
        typer.Option(
            "--demonstration",
            help="Put the libraries, titles and people of `carrel demo` into an empty system; "
            "everybody knows their PINs.",
        ),
    ] = False,
) -> None:
    """Run the whole system until Ctrl-C: services, and a database and a broker unless configured.

    A service that ends is started again, after a pause that grows if it ends
    repeatedly. If the database or the broker ends, everything ends.
    """
    prepared.prepare(serving.modules())  # its imports take longest
    from ops.infrastructure.processes import system
    from ops.infrastructure.restarts import Restarts

    counts = dict(_replicas(item) for item in replicas or [])
    with (
        _expected_failures(),
        _progress("Starting the database, the broker and the services") as started,
        system(
            data,
            names=() if without_services else SERVICES,
            replicas=counts,
            roles=role,
            simulation=simulation,
            gateway_port=port,
            broker=kafka,
        ) as running,
    ):
        started()
        for sentence in running.moved_ports():
            _errors.print(sentence)
        for name, child in running.processes.items():
            typer.echo(f"{name:<15} {running.url(*_split(name))}  pid {child.pid}")
        if demonstration and not without_services:
            demonstration_data = import_module("ops.scenario.demonstration")
            demonstration_data.prepare(running)
            for sentence in demonstration_data.people():
                typer.echo(sentence)
        ready = running.gateway_url if running.processes else "the database and the broker"
        children = running.infrastructure.children
        services = Restarts(list(running.processes.values()), _errors.print)
        try:
            typer.echo(f"Ready: {ready}   logs: {data / 'logs'}   Ctrl-C stops it.")
            while all(child.running for child in children):
                services.check()
                time.sleep(0.3)  # nothing to do until one ends or Ctrl-C is pressed
        except KeyboardInterrupt:
            typer.echo("Stopping.")
            return
        ended = next(child for child in children if not child.running)
        _errors.print(
            f"{ended.name} ended with code {ended.exit_code}.\n{ended.tail()}", markup=False
        )
        raise typer.Exit(1)


@app.command()
def demo(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    kafka: Broker = "embedded",
    tables: Annotated[
        Path | None,
        typer.Option("--tables", help="Write the events to tables in a new folder, for analysts."),
    ] = None,
) -> None:
    """Play the reopening of 2021 on the whole system, show the result and check it."""
    prepared.prepare(serving.modules())  # its imports take longest
    from ops.infrastructure.processes import system

    if tables is not None:
        from ops.analytics import refuse_without_libraries

        refuse_without_libraries()
        if tables.exists():
            _errors.print(f"{tables} is there already: give a new folder.", markup=False)
            raise typer.Exit(1)
    RUNS.mkdir(exist_ok=True)
    data = Path(tempfile.mkdtemp(prefix="demo-", dir=RUNS))
    holds = False
    try:
        with (
            _expected_failures(),
            _progress("Starting the database, the broker and the services") as started,
            system(data, simulation=True, broker=kafka) as running,
        ):
            started()
            for sentence in running.moved_ports():
                _errors.print(sentence)
            scenario = import_module("ops.scenario.demo")
            holds = scenario.run(running, as_json=as_json)
            if holds and tables is not None:
                scenario.write_tables(running, tables)
    finally:
        if holds:
            shutil.rmtree(data)
        else:
            _errors.print(f"Logs and data of this run are kept in {data}; make clean removes them.")
    raise typer.Exit(0 if holds else 1)


def _replicas(item: str) -> tuple[str, int]:
    service, _, count = item.partition("=")
    if not count.isdecimal() or not 1 <= int(count) <= 16:
        raise typer.BadParameter(f"{item}: write SERVICE=N with N from 1 to 16, as circulation=2")
    return _service(service), int(count)


def _split(name: str) -> tuple[str, int]:
    service, _, replica = name.rpartition("-")
    return service, int(replica)


@contextmanager
def _progress(what: str) -> Iterator[Any]:
    """Show on the terminal that work goes on, until the yielded function is called."""
    if _errors.is_terminal:
        status = _errors.status(f"{what}…")
        status.start()
        try:
            yield status.stop
        finally:
            status.stop()
    else:
        _errors.print(f"{what}…")
        yield lambda: None


@contextmanager
def _expected_failures() -> Iterator[None]:
    """Stop in order on SIGTERM or a closed terminal, and print a failed start as plain text."""
    from ops.infrastructure.child import StartFailed

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    except StartFailed as failure:
        _errors.print(str(failure), markup=False)
        raise typer.Exit(1) from None
    except OSError as error:
        import_module("ops.console").refuse_file_fault(error)
        raise
