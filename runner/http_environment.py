"""What an HTTP client takes from the environment: proxies and certificates, for other machines only."""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from events.errors import InvalidInput


def client_options(address: str) -> dict[str, Any]:
    """Options of httpx.Client and AsyncClient for one address.

    A proxy cannot reach this machine's loopback, and a plain connection needs no certificates, so neither ALL_PROXY nor
    SSL_CERT_FILE, SSLKEYLOGFILE and the like can break these.
    """
    options: dict[str, Any] = {}
    if is_loopback_url(address):
        options["trust_env"] = False
    if urlsplit(address).scheme == "http":
        options["verify"] = False
    return options


def is_loopback_url(address: str) -> bool:
    """Whether a URL names this machine's loopback interface, as `localhost`, a name below it, or an address."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@contextmanager
def environment_explained() -> Iterator[None]:
    """Around the making of a client. Raises InvalidInput naming the variables that httpx could not use."""
    try:
        yield
    except (ImportError, ValueError, OSError, httpx.InvalidURL) as error:
        raise InvalidInput(
            f"the proxy or certificate variables of the environment cannot be used ({error}); check ALL_PROXY, "
            "HTTP_PROXY, HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR and SSLKEYLOGFILE"
        ) from error
