"""Serving: a run behind HTTP, with a page to drop images on. For one machine; docs/serving.md says what is for more.

worker   one thread that translates, and the queue before it
answers  bytes of an image to bytes of its translation
app      what is answered to whom: routes, limits, headers, errors
browser/ the page, with the slider of the report
"""

import contextlib
import dataclasses
import importlib
import ipaddress
import signal
import socket

from common import settings
from common.errors import UserError
from common.settings import FREE, setting

GRACE = 30  # seconds in which requests in hand are answered before it ends
CONNECTIONS = 256  # at once


@dataclasses.dataclass(frozen=True)
class Service:
    """How a run is served."""

    host: str = setting(
        "127.0.0.1",
        "Address to listen at; by default this machine alone reaches it. There is no password and no encryption.",
        resume=FREE,
    )
    port: int = setting(8000, "Port to listen at; 0: any that is free.", minimum=0, resume=FREE)
    queue: int = setting(
        16, "Requests in hand or waiting at once; those beyond are told to come again (503).", minimum=1, resume=FREE
    )
    max_mb: int = setting(
        32, "Size of an image file in MB (2**20 bytes) above which it is refused.", minimum=1, resume=FREE
    )
    max_pixels: int = setting(
        4_194_304, "Pixels of an image, height x width, above which it is refused.", minimum=1, resume=FREE
    )

    def __post_init__(self):
        settings.check(self)
        if self.port > 65535:
            raise UserError(f"--port {self.port} is none: ports go to 65535.")

    @property
    def is_local(self):
        """Whether this machine alone reaches it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def serve(translator, how):
    """Answers requests with a Translator, as `how`, a Service, says, until SIGINT or SIGTERM.

    Requests in hand are answered before it ends. Raises UserError if the address or the port cannot be had, or the
    libraries are missing.
    """
    uvicorn, app = _library("uvicorn"), _library("common.serve.app")
    with _listening(how) as listening, app.Application(translator, how) as application, _signals_pass():
        config = uvicorn.Config(
            application.asgi,
            **{"http": "h11", "ws": "none", "lifespan": "off", "log_level": "warning", "access_log": False},
            **{"server_header": False, "proxy_headers": False, "limit_concurrency": CONNECTIONS},
            timeout_graceful_shutdown=GRACE,
        )
        host, port = listening.getsockname()[:2]
        place = f"[{host}]" if ":" in host else host
        print(f"Serving {translator.run_dir}, step {translator.step:,}: http://{place}:{port}", flush=True)
        if not how.is_local:
            print("warning: whoever reaches this address can use it; there is no password.", flush=True)
        print("Ctrl-C ends it, after the requests in hand.", flush=True)
        uvicorn.Server(config).run(sockets=[listening])
    print("Ended.", flush=True)


def _listening(how):
    """The socket that listens; raises UserError if there is no such address, or it is taken."""
    try:
        family, _, _, _, address = socket.getaddrinfo(how.host, how.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family)
    except OSError as error:
        raise UserError(
            f"--host {how.host} --port {how.port} cannot be listened at ({error.strerror or error}). Is another program"
            " there? Say another --port, or 0 for any that is free."
        ) from error


@contextlib.contextmanager
def _signals_pass():
    """Within it, SIGINT and SIGTERM do nothing by themselves: the server, which ends on them, raises them once more."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _library(name):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(f"Serving needs {error.name}, which is missing: pip install '.[serve]'.") from error
