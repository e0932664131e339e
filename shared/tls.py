"""Contexts of TLS: of connections that this process opens, and of those that it accepts."""

import os
import ssl

import structlog

log = structlog.get_logger()


def client_context(ca_file: str, certificate_file: str, key_file: str) -> ssl.SSLContext:
    """Return a context that checks the server's certificate and its host name.

    Without `ca_file` the authorities of the operating system are trusted. Raises OSError, of which
    ssl.SSLError is one, if a file can't be read or used; a key that needs a password can't.
    """
    context = ssl.create_default_context(cafile=ca_file or None)
    if certificate_file:
        # With a password, even a wrong one, OpenSSL does not ask for one on the terminal.
        context.load_cert_chain(certificate_file, key_file, password="")
    return context


def server_context(certificate_file: str, key_file: str) -> ssl.SSLContext:
    """Return a context that shows a certificate and asks clients for none. Raises OSError."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate_file, key_file, password="")
    return context


class ServerCertificate:
    """The certificate of a server and its key, read again when their files change."""

    def __init__(self, certificate_file: str, key_file: str) -> None:
        """Read the files. Raises OSError."""
        self._files = (certificate_file, key_file)
        self._seen = self._versions()
        self.context = server_context(*self._files)

    def renew(self) -> None:
        """Show the certificate of changed files to new connections; keep the last usable one."""
        try:
            seen = self._versions()
            if seen == self._seen:
                return
            self._seen = seen
            server_context(*self._files)  # a key of another one would make the context useless
            self.context.load_cert_chain(*self._files, password="")
        except OSError as error:
            log.warning("certificate not renewed", error=type(error).__name__)
        else:
            log.info("certificate renewed")

    def _versions(self) -> list[tuple[int, int]]:
        return [(one.st_ino, one.st_mtime_ns) for one in map(os.stat, self._files)]
