"""The connection to Kafka: the address, TLS and the user of every client that a process opens."""

from typing import Any

from faststream.security import BaseSecurity, SASLScram512

from shared.settings import Settings


def client_arguments(settings: Settings) -> dict[str, Any]:
    """Return the arguments that every consumer, producer and admin client of aiokafka gets.

    Files of certificates are read anew, so that a new client has renewed ones.
    """
    arguments: dict[str, Any] = {"bootstrap_servers": settings.kafka.split(",")}
    if settings.kafka_security == "none":
        return arguments
    arguments |= {"security_protocol": "SSL", "ssl_context": settings.kafka_tls()}
    if settings.kafka_security == "scram":
        arguments |= {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return arguments


def broker_security(settings: Settings) -> BaseSecurity | None:
    """Return the same for FastStream, which opens the consumer of a listener."""
    if settings.kafka_security == "none":
        return None
    if settings.kafka_security == "tls":
        return BaseSecurity(ssl_context=settings.kafka_tls())
    return SASLScram512(
        settings.kafka_username,
        settings.kafka_password.get_secret_value(),
        ssl_context=settings.kafka_tls(),
    )
