"""Serve one service until SIGTERM: `python -m ops.serve SERVICE`, as `carrel serve` does."""

import gc
import sys
from contextlib import suppress
from importlib import import_module

COLLECT_AFTER = (20_000, 20, 20)
"""Python's thresholds of garbage collections in a service. Its usual 700 allocations are those of a
few requests, which leave hardly any garbage."""


def modules(*services: str) -> list[str]:
    """Return the modules whose import takes most of the time in which services start."""
    own = [f"services.{name}.{part}" for name in services for part in ("app", "settings")]
    return ["ops.server", "uvloop", *own]


def serve(service: str) -> None:
    """Run a service in this process; CARREL_… variables hold its settings.

    Ends the process with 1 if the service does not start, or if one of its tasks fails for good.
    """
    import structlog

    from ops.environment import kind_of_settings, load_to_serve, readable_by_everyone, take_own
    from ops.server import Server, config_of

    gc.disable()  # nearly all that a start allocates stays until the end
    take_own(service)
    settings = load_to_serve(kind_of_settings(service))
    served = import_module(f"services.{service}.app").create_app(settings)
    for variable in readable_by_everyone(type(settings)):
        structlog.get_logger().warning("everybody may read a file of settings", variable=variable)
    gc.freeze()  # no later collection looks at it again
    gc.set_threshold(*COLLECT_AFTER)
    gc.enable()
    certificate = settings.tls_server()
    server = Server(
        served,
        config_of(served, settings, certificate),
        operations_port=settings.operations_port,
        drain_seconds=settings.drain_seconds,
        certificate=certificate,
    )
    with suppress(KeyboardInterrupt):
        server.run()
    if server.failed or not server.started:
        sys.exit(1)


if __name__ == "__main__":
    serve(sys.argv[1])
