"""What holds for all requests: headers of answers, hosts, and the limits of a body."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping

import anyio
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.serve.refused import Refused

SECONDS = 60  # in which a body must arrive
PATIENCE, SLOWEST = 10.0, 2**14  # seconds for a body, plus one second for every SLOWEST bytes that arrive
DROPPED = 2  # times the limit that is read and dropped, as clients do not see an answer while they send
TYPES = ("image/", "application/octet-stream")  # of bodies: foreign pages cannot send them without a preflight request
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ALLOWED = "camera=(self), clipboard-write=(self), microphone=(), geolocation=(), display-capture=(), payment=(), usb=()"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": ALLOWED,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
CLOSES = {"Connection": "close"}  # after an unread body or an unexpected error


PRIVATE = re.compile("/(report|examples)(/|$)")  # addresses of what belongs to a run


class Guard:
    """Adds headers to all answers that lack them, and refuses requests whose Host is not a name of this machine.

    `names`: the accepted hosts. With `is_open` other hosts are accepted, too, as behind a proxy, except at addresses
    of data of a run, where only `names` and addresses in numbers are. This prevents DNS rebinding: a browser would
    treat a foreign page whose name points to this machine as same-origin, but sends that name as Host.
    """

    def __init__(self, app: ASGIApp, names: Collection[str], *, is_open: bool = False) -> None:
        self._app, self._names, self._is_open = app, names, is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if b"content-length" in headers and b"transfer-encoding" in headers:
            refusal = "The request has both Content-Length and Transfer-Encoding: send only one of them."
            await sentence(400, refusal, CLOSES)(scope, receive, with_headers)
        elif not self._accepts(re.sub(r":\d+$", "", host), scope["path"]):
            refusal = f"The Host header is not a name of this machine: use {' or '.join(sorted(self._names))}."
            await sentence(421, refusal)(scope, receive, with_headers)
        else:
            await self._app(scope, receive, with_headers)

    def _accepts(self, host: str, path: str) -> bool:
        """Whether requests for a path may name a host."""
        if host in self._names or (self._is_open and not PRIVATE.match(path)):
            return True
        return self._is_open and _is_address(host.strip("[]"))


def _is_address(host: str) -> bool:
    """Whether a host is an address in numbers, which no foreign name can be made to point to."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def sentence(status: int, text: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Returns the answer that is an error in words."""
    return JSONResponse({"error": text}, status, headers)


async def body_of(request: Request, limit: int) -> bytes:
    """Returns the body of a request.

    Raises Refused if it is empty, no image by its Content-Type, has more than `limit` bytes, or does not arrive in
    time.
    """
    _refuse_type(request.headers.get("content-type", ""))
    too_many = Refused(413, f"The image has more than {limit / 2**20:,.0f} MB. Send a smaller one.")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > DROPPED * limit:
        raise too_many
    body, count = bytearray(), 0
    try:
        with anyio.fail_after(PATIENCE) as scope:
            began = anyio.current_time()
            async for part in request.stream():
                count += len(part)
                scope.deadline = began + min(SECONDS, PATIENCE + count / SLOWEST)
                if count <= limit:
                    body += part
                elif count > DROPPED * limit:
                    break
    except TimeoutError:
        slowly = (
            f"The image arrived too slowly: send at least {SLOWEST // 2**10} KiB per second, within {SECONDS} seconds."
        )
        raise Refused(408, slowly) from None
    except ClientDisconnect:
        raise Refused(400, "The image is incomplete: the connection was closed.") from None
    if count > limit:
        raise too_many
    if not count:
        raise Refused(400, "The request has no image: send the bytes of an image file as the body.")
    return bytes(body)


def _refuse_type(media: str) -> None:
    if not media.lower().startswith(TYPES):
        raise Refused(
            415,
            f"Content-Type {media or '(missing)'} is not supported: send the image file itself, as image/jpeg,"
            " image/png and so on.",
        )
