"""Serving: a run behind HTTP, with a page to drop images on. For one machine; for more, see docs/serving.md.

service  the settings
worker   one thread that translates, and the queue before it
decoding a process that decodes, with limits of time and memory; decoder is its program
answers  from the bytes of an image to those of its translation; refused, why there is none
connections limits on connections: their number, and how long a client may take
app      the answers to requests: routes, limits, headers, errors
browser/ the page, with the slider of the report
"""

from __future__ import annotations

import contextlib
import importlib
import signal
import socket
import types
from collections.abc import Iterator
from typing import Any

from absl import logging

from common.errors import UserError
from common.serve.service import Service
from common.translate import Translator

__all__ = ["Service", "serve"]

GRACE = 20  # seconds in which requests in hand are answered before it ends
BACKLOG = 64  # connections that wait to be accepted, and that are at once


def serve(translator: Translator, service: Service) -> None:
    """Answers requests with a Translator until SIGINT or SIGTERM.

    Pending requests are answered before it ends, those that take longer than half a minute are not: then SIGTERM ends
    the process, as a translation cannot be stopped. Raises UserError if the address or the port is not available, or
    the libraries are missing.
    """
    uvicorn, app, connections = map(_library, ("uvicorn", "common.serve.app", "common.serve.connections"))
    with _listening(service) as listening, _application(app, translator, service) as application, _signals_pass():
        config = uvicorn.Config(
            application.asgi,
            http=connections.Connection,
            ws="none",
            lifespan="off",
            log_level="error",  # a line for each request that is none would fill the log
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=GRACE,
        )
        host, port = listening.getsockname()[:2]
        place = f"[{host}]" if ":" in host else host
        logging.info(f"Serving {translator.run_dir}, step {translator.step:,}: http://{place}:{port}")
        if not service.is_local:
            logging.info("warning: whoever reaches this address can use it; there is no password.")
        logging.info("Ctrl-C ends it, after the requests in hand.")
        uvicorn.Server(config).run(sockets=[listening])
    logging.info("Ended.")


@contextlib.contextmanager
def _application(app: types.ModuleType, translator: Translator, service: Service) -> Iterator[Any]:
    """An Application; ends the process where a translation in hand takes too long."""
    application = app.Application(translator, service)
    try:
        yield application
    finally:
        if not application.close():
            logging.warning("warning: a translation takes too long, and is given up.")
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)


def _listening(service: Service) -> socket.socket:
    """The socket that listens; raises UserError if there is no such address, or it is taken."""
    try:
        family, _, _, _, address = socket.getaddrinfo(service.host, service.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family)
    except OSError as error:
        raise UserError(
            f"--host {service.host} --port {service.port} cannot be listened at ({error.strerror or error}). Is"
            " another program there? Say another --port, or 0 for any that is free."
        ) from error


@contextlib.contextmanager
def _signals_pass() -> Iterator[None]:
    """Ignores SIGINT and SIGTERM: the server handles them itself, and raises them again when it has ended."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _library(name: str) -> types.ModuleType:
    """Imports a module; raises UserError if it, or what it imports, is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(f"Serving needs {error.name}, which is missing: pip install '.[serve]'.") from error
