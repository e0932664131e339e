"""Kafka's own tools, `kafka-acls.sh` and `kafka-configs.sh`, as an administrator runs them."""

import fcntl
import os
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

from ops.infrastructure.apache import fetched_libraries
from tests.systems import PROJECT, disk_root

CLASSES = {"kafka-acls.sh": "AclCommand", "kafka-configs.sh": "ConfigCommand"}
_POM = PROJECT / "ops" / "infrastructure" / "apache.pom.xml"
_SPACE = "{http://maven.apache.org/POM/4.0.0}"
_QUICKLY = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
_PROPERTIES = """\
security.protocol=SASL_SSL
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
  username="{CARREL_KAFKA_USERNAME}" password="{CARREL_KAFKA_PASSWORD}";
ssl.truststore.type=PEM
ssl.truststore.location={CARREL_KAFKA_CA_FILE}
ssl.keystore.type=PEM
ssl.keystore.location={CARREL_KAFKA_CERTIFICATE_FILE}
"""


def copy_command(folder: Path) -> list[str]:
    """Return the command of Maven that copies the tools' jar, of the server's version."""
    version = ET.parse(_POM).findtext(f".//{_SPACE}dependency/{_SPACE}version")  # noqa: S314 - ours
    return [
        *("mvn", "-q", "-B", "-f", str(_POM), "dependency:copy"),
        f"-Dartifact=org.apache.kafka:kafka-tools:{version}",
        f"-DoutputDirectory={folder}",
    ]


class KafkaTools:
    """The tools with the settings of an administrator, in a folder that is theirs."""

    def __init__(self, folder: Path, administrator: Mapping[str, str]) -> None:
        self._folder = folder
        self._bootstrap = administrator["CARREL_KAFKA"]
        (folder / "administrator.properties").write_text(_PROPERTIES.format_map(administrator))
        libraries = fetched_libraries()
        archive = f"-XX:SharedArchiveFile='{libraries / 'classes.jsa'}'"
        java = f"java -Xshare:auto {archive} {_QUICKLY}"
        classpath = f"{libraries}/*:{_fetched()}/*"
        for script, name in CLASSES.items():
            file = folder / script
            file.write_text(
                f"#!/bin/sh\nexec {java} -cp '{classpath}' org.apache.kafka.tools.{name} \"$@\"\n"
            )
            file.chmod(0o755)

    def shell(self, commands: str) -> str:
        """Run lines of a shell until one fails; return the output."""
        path = f"{self._folder}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-e"],  # noqa: S607 - the machine's
            input=commands,
            cwd=self._folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def list_rights(self) -> str:
        """Return all rights as the tool lists them."""
        return self.shell(f"kafka-acls.sh {self._as_administrator()} --list")

    def set_password(self, user: str, password: str) -> None:
        """Make a user, or give an existing one another password."""
        self.shell(
            f"kafka-configs.sh {self._as_administrator()} --alter --entity-type users "
            f"--entity-name {user} --add-config 'SCRAM-SHA-512=[password={password}]'"
        )

    def _as_administrator(self) -> str:
        return f"--bootstrap-server {self._bootstrap} --command-config administrator.properties"


def _fetched() -> Path:
    """Return the folder of the tools' jar, which is fetched once."""
    folder = disk_root() / "kafka-tools"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one process fetches, the others wait for it
        if not list(folder.glob("*.jar")):
            subprocess.run(copy_command(folder), check=True, capture_output=True)
    return folder
