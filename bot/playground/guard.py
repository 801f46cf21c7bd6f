"""Who may talk to the playground at all: this machine, by its own name, from its own page.

A web page from elsewhere that a browser on this machine shows can send requests to loopback
addresses; checking `Host` (against DNS rebinding) and `Origin` keeps it out.
"""

from __future__ import annotations

import hmac
import ipaddress
from urllib.parse import urlsplit

from aiohttp import web

from bot.playground.errors import NotLoopback

_NO_TOKEN = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Darkroom playground</title>
<body>
<h1>This address lacks its key</h1>
<p>The playground opens only with the whole address that Darkroom printed when it started, the one that ends in a
long random word. Copy it from that terminal into the address bar.</p>
<p>If the terminal is gone, stop Darkroom and run <code>make run</code> again; it prints the address anew.</p>
"""


def check_loopback(host: str) -> None:
    """Refuse to listen where other machines could reach.

    Raises:
        NotLoopback: `host` is not `localhost` and no loopback address.
    """
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise NotLoopback(host)


def from_here(request: web.Request, port: int) -> bool:
    """Whether the request names this machine as its target and, if a page sent it, came from our page."""
    if not _is_local(f"//{request.headers.get('Host', '')}", port):
        return False
    origin = request.headers.get("Origin")
    return origin is None or (origin.startswith("http://") and _is_local(origin, port))


def _is_local(address: str, port: int) -> bool:
    try:
        parts = urlsplit(address)
        return parts.hostname in ("127.0.0.1", "localhost", "::1") and parts.port == port
    except ValueError:
        return False


def same_secret(given: str, secret: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(), secret.encode())


def no_token_page() -> web.Response:
    """The plain page for an address without its token."""
    return web.Response(status=403, text=_NO_TOKEN, content_type="text/html", headers=dict(SAFE_HEADERS))


SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    ),
}
