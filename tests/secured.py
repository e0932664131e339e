"""Apache Kafka and MongoDB as a secured system has them: TLS, a user for each service, rights.

Both demand certificates of their clients. Kafka has two listeners: one for users with passwords,
one for users that a certificate names.
"""

import os
import secrets
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pymongo import MongoClient

from ops.broker.topics import ANALYST, OPERATOR
from ops.infrastructure import ports
from ops.infrastructure.apache import Security, apache_children
from ops.infrastructure.child import start_all, stop_all
from ops.infrastructure.embedded import (
    BROKERS,
    Infrastructure,
    Protection,
    mongo_url_of,
    mongod_children,
)
from ops.infrastructure.processes import System, services
from services.registry import NAMES
from services.settings import Settings
from shared.clock import wall_clock
from shared.tls import client_context
from tests.ops.command import run

ADMINISTRATOR = "administrator"
"""User of Kafka and MongoDB that may do everything there; Kafka's nodes use it too."""
USERS = (*NAMES, OPERATOR, ANALYST, ADMINISTRATOR)
_KAFKA = r"""
listeners=BROKER://127.0.0.1:{port},CERTIFICATES://127.0.0.1:{other},\
  CONTROLLER://127.0.0.1:{controller}
advertised.listeners=BROKER://127.0.0.1:{port},CERTIFICATES://127.0.0.1:{other}
listener.security.protocol.map=BROKER:SASL_SSL,CERTIFICATES:SSL,CONTROLLER:SSL
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.broker.scram-sha-512.sasl.jaas.config=\
  org.apache.kafka.common.security.scram.ScramLoginModule required \
  username="{administrator}" password="{password}";
listener.name.broker.ssl.client.auth=required
listener.name.certificates.ssl.client.auth=required
listener.name.controller.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={certificate}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
ssl.principal.mapping.rules=RULE:^CN=([a-z]+)$/$1/
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{administrator}
"""


class Certificates:
    """An authority of these tests, and certificates by it, as PEM files in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("an authority of tests")
        certificate = self._signed(
            self._name, self._key, x509.BasicConstraints(ca=True, path_length=0)
        )
        self.authority = folder / "authority.pem"
        self.authority.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def of(self, user: str, address: str = ports.LOOPBACK) -> Path:
        """Return a file with a key and a certificate for a user, and for servers at an address."""
        path = self._folder / f"{user}.pem"
        if not path.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            certificate = self._signed(
                _name(user),
                key,
                x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]),
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
            )
            path.touch(mode=0o600)
            path.write_bytes(
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
                + certificate.public_bytes(serialization.Encoding.PEM)
            )
        return path

    def replace(self, user: str) -> None:
        """Renew the key and the certificate of a user, in the same file."""
        self.of(user).unlink()
        self.of(user)

    def _signed(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType
    ) -> x509.Certificate:
        now = wall_clock()
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=2))
        )
        for extension in extensions:
            builder = builder.add_extension(
                extension, critical=isinstance(extension, x509.BasicConstraints)
            )
        return builder.sign(self._key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass(frozen=True)
class Secured:
    """The secured servers, and the variables of each user."""

    infrastructure: Infrastructure
    """Its addresses are those of operators."""
    environment: Mapping[str, Mapping[str, str]]
    """Variables by user: a service, ANALYST, OPERATOR, ADMINISTRATOR."""
    certificates: Certificates
    by_certificate: str
    """Address of Kafka for users that a certificate names."""
    passwords: Mapping[str, str] = field(repr=False)
    """Passwords at Kafka by user."""

    def carrel(self, user: str, *arguments: str, **changes: str) -> str:
        """Run a command as a user, with changed variables; return its output."""
        return _carrel({**self.environment[user], **changes}, *arguments)

    def give_rights(self) -> None:
        """Give all users of Kafka their rights, as the commands of operators do."""
        self.carrel(ADMINISTRATOR, "topics", "acls", "--create")


@dataclass(frozen=True)
class SecuredSystem(System):
    """A running system, and the secured servers that it uses."""

    servers: Secured = field(kw_only=True)


def servers_of(running: System) -> Secured | None:
    """Return the secured servers of a system; None if its servers are not secured."""
    return running.servers if isinstance(running, SecuredSystem) else None


def administrators(running: System) -> Settings:
    """Return the settings of somebody who may do everything on the servers of a system."""
    servers = servers_of(running)
    own = servers.environment[ADMINISTRATOR] if servers else {}
    return Settings.from_environment({**running.environment, **own})


def _carrel(environment: Mapping[str, str], *arguments: str) -> str:
    ran = run(arguments, {**os.environ, **environment})
    assert ran.code == 0, ran.err
    return ran.out


@contextmanager
def secured(
    data: Path,
    *,
    kafka: bool = True,
    mongo: bool = True,
    mongo_nodes: int = 1,
    kafka_nodes: int = 1,
) -> Iterator[Secured]:
    """Start the secured servers with their users, topics and rights; end them on exit.

    The commands of operators make users and rights. What is False is an unsecured server. There
    may be one or three nodes of each.
    """
    certificates = Certificates(data / "certificates")
    passwords = {user: secrets.token_urlsafe(16) for user in USERS}
    protection = _mongod_protection(data, certificates) if mongo else None
    mongods = mongod_children(data, nodes=mongo_nodes, protection=protection)
    others: list[int] = []
    security = _kafka_security(certificates, passwords, others) if kafka else None
    brokers = apache_children(data, nodes=kafka_nodes, security=security)
    address = ",".join(f"{ports.LOOPBACK}:{broker.port}" for broker in brokers)
    url = mongo_url_of(mongods)
    of_broker = BROKERS["apache" if kafka_nodes == 1 else "apache-3"]
    environment = {
        user: {
            "CARREL_MONGO_URL": url,
            "CARREL_KAFKA": address,
            **of_broker,
            **(_kafka_user(certificates, user, passwords[user]) if kafka else {}),
        }
        for user in USERS
    }
    infrastructure = Infrastructure(
        mongo_url=url,
        kafka=address,
        mongod=mongods[0],
        broker=brokers[0],
        more_mongods=mongods[1:],
        more_brokers=brokers[1:],
        service_environment=of_broker,
    )
    try:
        start_all(infrastructure.children)
        if mongo:
            _add_mongo_users(environment, url, certificates)
        servers = Secured(
            replace(infrastructure, mongo_url=environment[OPERATOR]["CARREL_MONGO_URL"]),
            environment,
            certificates,
            ",".join(f"{ports.LOOPBACK}:{other}" for other in others),
            passwords,
        )
        if kafka:
            servers.give_rights()
            servers.carrel(OPERATOR, "topics", "create")
        yield servers
    finally:
        stop_all(infrastructure.children)
        used = [
            port for child in infrastructure.children for port in (child.port, *child.more_ports)
        ]
        for port in (*used, *others):
            ports.release(port)


@contextmanager
def secured_system(
    data: Path,
    *,
    environment: Mapping[str, Mapping[str, str]] | None = None,
    mongo_nodes: int = 1,
    kafka_nodes: int = 1,
    **options: Any,
) -> Iterator[System]:
    """Start the services on secured servers, each as a user of its own."""
    with (
        secured(data, mongo_nodes=mongo_nodes, kafka_nodes=kafka_nodes) as servers,
        system_on(servers, data, environment=environment, **options) as running,
    ):
        yield running


@contextmanager
def system_on(
    servers: Secured,
    data: Path,
    *,
    environment: Mapping[str, Mapping[str, str]] | None = None,
    **options: Any,
) -> Iterator[System]:
    """Start the services on these servers, each as a user of its own; options as of `services`."""
    own = {
        name: {**servers.environment[name], **(environment or {}).get(name, {})} for name in NAMES
    }
    with services(
        servers.infrastructure,
        data,
        environment={**(environment or {}), **own},
        operators=servers.environment[OPERATOR],
        **options,
    ) as running:
        yield SecuredSystem(
            running.infrastructure,
            running.processes,
            running.environment,
            running.requested_ports,
            servers=servers,
        )


def _kafka_security(
    certificates: Certificates, passwords: Mapping[str, str], others: list[int]
) -> Callable[[int, int], Security]:
    """Return the protection of each node; add its port for users by certificate to `others`."""

    def security(port: int, controller: int) -> Security:
        others.append(other := ports.reserve())
        return Security(
            _KAFKA.format(
                port=port,
                other=other,
                controller=controller,
                administrator=ADMINISTRATOR,
                password=passwords[ADMINISTRATOR],
                certificate=certificates.of(ADMINISTRATOR),
                authority=certificates.authority,
            ),
            passwords,
            partial(_shakes_hands, port, certificates),
        )

    return security


def _shakes_hands(port: int, certificates: Certificates) -> bool:
    """Return whether a server at a port speaks TLS; Kafka does once it processes requests."""
    own = str(certificates.of(ADMINISTRATOR))
    context = client_context(str(certificates.authority), own, own)
    try:
        with (
            socket.create_connection((ports.LOOPBACK, port), timeout=2.0) as plain,
            context.wrap_socket(plain, server_hostname=ports.LOOPBACK),
        ):
            return True
    except (OSError, ssl.SSLError):
        return False


def _kafka_user(certificates: Certificates, user: str, password: str) -> dict[str, str]:
    own = str(certificates.of(user))
    return {
        "CARREL_KAFKA_SECURITY": "scram",
        "CARREL_KAFKA_CA_FILE": str(certificates.authority),
        "CARREL_KAFKA_CERTIFICATE_FILE": own,
        "CARREL_KAFKA_KEY_FILE": own,
        "CARREL_KAFKA_USERNAME": user,
        "CARREL_KAFKA_PASSWORD": password,
    }


def _mongod_protection(data: Path, certificates: Certificates) -> Protection:
    key = data / "keyfile"
    key.touch(mode=0o600)
    key.write_text(secrets.token_hex(64))
    own = str(certificates.of(ADMINISTRATOR))
    tls = {"tls": True, "tlsCAFile": str(certificates.authority), "tlsCertificateKeyFile": own}
    return Protection(
        (
            "--auth",
            *("--keyFile", str(key)),
            *("--tlsMode", "requireTLS"),
            *("--tlsCertificateKeyFile", own),
            *("--tlsCAFile", str(certificates.authority)),
        ),
        tls,
    )


def _add_mongo_users(
    environment: Mapping[str, dict[str, str]], url: str, certificates: Certificates
) -> None:
    """Make the administrator, as only the first user can be made, and by it the others."""
    own = certificates.of(ADMINISTRATOR)
    tls = f"tls=true&tlsCAFile={certificates.authority}&tlsCertificateKeyFile={own}"
    password = secrets.token_urlsafe(16)
    with MongoClient[dict[str, Any]](f"{url}&{tls}") as client:
        client.admin.command({"createUser": ADMINISTRATOR, "pwd": password, "roles": ["root"]})
    hosts = url.removeprefix("mongodb://")
    environment[ADMINISTRATOR]["CARREL_MONGO_URL"] = (
        f"mongodb://{ADMINISTRATOR}:{password}@{hosts}&authSource=admin&{tls}"
    )
    for user, address in mongo_urls(_carrel(environment[ADMINISTRATOR], "databases", "users")):
        certificate = certificates.of(user)
        environment[user]["CARREL_MONGO_URL"] = address.replace(own.name, certificate.name)


def mongo_urls(printed: str) -> Iterator[tuple[str, str]]:
    """Yield the user and the address of each line that `carrel databases users` printed."""
    for line in printed.splitlines():
        variable, _, address = line.partition("=")
        yield variable.removesuffix("_MONGO_URL").lower(), address
