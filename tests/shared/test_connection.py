"""The connection to Kafka is made in one place, the same for every client."""

from pathlib import Path
from typing import Any

import pytest
from faststream.kafka.security import parse_security

from shared.bus.connection import broker_security, client_arguments
from shared.settings import Settings
from tests.secured import Certificates

ROOT = Path(__file__).parents[2]


def test_one_module_says_how_to_reach_kafka() -> None:
    naming = {
        str(path.relative_to(ROOT))
        for folder in ("shared", "services", "ops")
        for path in (ROOT / folder).rglob("*.py")
        if "bootstrap_servers" in path.read_text() or "AIOKafkaClient(bootstrap" in path.read_text()
    }
    assert naming == {"shared/bus/connection.py"}


@pytest.mark.parametrize("security", ["none", "tls", "scram"])
def test_the_listener_connects_as_other_clients_do(security: str, tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    own = str(certificates.of("events"))
    files = {
        "kafka_ca_file": str(certificates.authority),
        "kafka_certificate_file": own,
        "kafka_key_file": own,
    }
    user = {"kafka_username": "events", "kafka_password": "a password of tests"}
    given: dict[str, Any] = {"none": {}, "tls": files, "scram": files | user}[security]
    settings = Settings(kafka="one:9093,two:9093", kafka_security=security, **given)  # type: ignore[arg-type]
    clients = client_arguments(settings)
    assert clients.pop("bootstrap_servers") == ["one:9093", "two:9093"]
    listener = parse_security(broker_security(settings))
    if security == "none":
        assert clients == listener == {}
        return
    for arguments in (clients, listener):
        context = arguments.pop("ssl_context")
        assert context.check_hostname
        assert [ca["subject"] for ca in context.get_ca_certs()]
    assert clients == listener
    protocol = {"tls": "SSL", "scram": "SASL_SSL"}[security]
    assert clients["security_protocol"] == protocol
