"""Serves runs by HTTP, with a page to draw and to drop images on. For one machine; for more, see docs/serving.md.

service  the settings
served   a run: its Translator, renewed when there is a newer checkpoint; about: what is known of it without weights
validation examples of its validation images
worker   a thread that translates, with a queue of limited length
decoding a separate process that decodes, with limits on time and memory; decoder is its program
answers  translates the bytes of an image file; refused: errors that are reported to the client
reports  reports of runs that are being trained
connections limits on connections: their number, and the time that a client may take
guard    headers of all answers, hosts, and limits of bodies
app      the HTTP application: routes and errors
assets   the files of the page, composed of those of browser/ and of the report
"""

from __future__ import annotations

import contextlib
import importlib
import signal
import socket
import types
from collections.abc import Iterator, Sequence
from typing import Any

from absl import logging

from common.cluster import sockets
from common.errors import UserError
from common.serve.served import Served, Watch
from common.serve.service import Service

__all__ = ["Served", "Service", "serve"]

GRACE = 20  # seconds to finish pending requests at the end
BACKLOG = 64  # connections that wait to be accepted


def serve(runs: Sequence[Served], service: Service) -> None:
    """Serves runs until SIGINT or SIGTERM, and loads their newer checkpoints meanwhile.

    Finishes pending requests first, unless they take longer than half a minute: then SIGTERM ends the process, as a
    translation cannot be stopped. Raises UserError if the address or the port is not available, or a library is
    missing.
    """
    uvicorn, app, connections = map(_library, ("uvicorn", "common.serve.app", "common.serve.connections"))
    with _listening(service) as listening, _application(app, runs, service) as application, _signals_pass():
        config = uvicorn.Config(
            application.asgi,
            http=connections.Connection,
            ws="none",
            lifespan="off",
            log_level="error",  # a line for each malformed request would fill the log
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=GRACE,
        )
        host, port = listening.getsockname()[:2]
        place = f"[{host}]" if ":" in host else host
        for run in runs:
            state = "no checkpoint yet" if run.step is None else f"step {run.step:,}"
            logging.info(f"Serving {run.run_dir}, {state}: http://{place}:{port}")
        if not service.is_local:
            logging.info("warning: anyone who can reach this address can use it; there is no password.")
        logging.info("Press Ctrl-C to stop; pending requests are finished first.")
        with contextlib.closing(Watch(runs)):
            uvicorn.Server(config).run(sockets=[listening])
    logging.info("Stopped.")


@contextlib.contextmanager
def _application(app: types.ModuleType, runs: Sequence[Served], service: Service) -> Iterator[Any]:
    """An Application; at the end, ends the process if a translation takes too long."""
    application = app.Application(runs, service)
    try:
        yield application
    finally:
        if not application.close():
            logging.warning("warning: a translation takes too long and is aborted.")
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)


def _listening(service: Service) -> socket.socket:
    """The listening socket; raises UserError if the address does not exist or is in use."""
    try:
        family, _, _, _, address = socket.getaddrinfo(service.host, service.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family)
    except sockets.NAMELESS as error:
        cause = getattr(error, "strerror", None) or "it is not a valid host name"
        raise UserError(
            f"Cannot listen on --host {service.host} --port {service.port} ({cause}). If another program uses it,"
            " choose a different --port, or 0 for any free port."
        ) from error


@contextlib.contextmanager
def _signals_pass() -> Iterator[None]:
    """Ignores SIGINT and SIGTERM: the server handles them itself, and raises them again after it has ended."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _library(name: str) -> types.ModuleType:
    """Imports a module; raises UserError if it or one of its imports is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(f"Serving needs {error.name}, which is not installed. Run pip install '.[serve]'.") from error
