"""TLS to a server that Carrel connects to: who is trusted, and the certificate that is shown."""

import ssl


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
