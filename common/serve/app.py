"""The HTTP application: the page, translations, and errors as sentences in JSON."""

from __future__ import annotations

import html
import json
import pathlib
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.images.notices import Notices
from common.report import page
from common.serve import answers
from common.serve.decoding import Decoder
from common.serve.refused import NAME, Refused
from common.serve.service import Service
from common.serve.worker import Full, Worker
from common.translate import Translator

BROWSER = pathlib.Path(__file__).parent / "browser"
CLOSING = 5.0  # seconds to wait for the current translation at the end
SECONDS = 60  # in which a body must arrive
PATIENCE, SLOWEST = 10.0, 2**14  # seconds for a body, plus one second for every SLOWEST bytes that arrive
DROPPED = 2  # times the limit that is read and dropped, as clients do not see an answer while they send
LOCAL = {"localhost", "127.0.0.1", "[::1]"}  # names of this machine
TYPES = ("image/", "application/octet-stream")  # of bodies: foreign pages cannot send them without a preflight request
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
NOTES = "Translation-Notes"  # header: a JSON array of sentences
EXHAUSTED = "ResourceExhaustedError"  # TensorFlow's error if memory is exhausted
CLOSES = {"Connection": "close"}  # after an unread body or an unexpected error
SENTENCES = {
    404: "There is nothing at this address: use /, /translate or /healthz.",
    405: "This address does not accept this method: use POST for /translate, and GET for all others.",
}


class Application:
    """Serves a Translator within the limits of a Service: servers call `asgi`. Close it, or use it in a with."""

    def __init__(self, translator: Translator, service: Service) -> None:
        self._translator, self._service, self._worker = translator, service, Worker(service.queue)
        self._notices = Notices()
        self._decoder = Decoder(service.max_pixels, service.max_mb * 2**20)
        self._files = _page(translator, service)
        routes = [Route(path, self._file, methods=["GET"]) for path in self._files]
        routes += [
            Route("/healthz", self._health, methods=["GET"]),
            Route("/translate", self._translate, methods=["POST"]),
        ]
        handlers: dict[type[Exception], Callable[[Request, Any], Response]] = {
            HTTPException: _of_http,
            Refused: _refused,
            Full: _full,
            Exception: _failed,
        }
        app = Starlette(routes=routes, exception_handlers=handlers)
        app.router.redirect_slashes = False
        self.asgi = _Guard(app, {*LOCAL, service.host.lower()} if service.is_local else None)

    async def _file(self, request: Request) -> Response:
        content, media = self._files[request.url.path]
        return Response(content, media_type=media)

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "waiting": self._worker.taken, **_facts(self._translator, self._service)})

    async def _translate(self, request: Request) -> Response:
        direction = self._direction(request.query_params.get("direction"))
        _refuse_type(request.headers.get("content-type", ""))
        with self._worker.place() as place:
            body = await _body(request, self._service.max_mb * 2**20)
            answer = await place.run(lambda: answers.answer(self._translator, direction, body, self._decoder))
        self._notices.say_once("A received image", answer.notes)
        headers = {"Content-Disposition": f'inline; filename="{direction}{answer.suffix}"'}
        if answer.notes:  # escaped, as texts from files can hold anything
            headers[NOTES] = json.dumps([f"{NAME} {note.text}." for note in answer.notes])
        return Response(answer.content, media_type=answer.media, headers=headers)

    def _direction(self, name: str | None) -> str:
        """The direction `name`, or the only one if it is None; raises Refused if there is no such direction."""
        directions = self._translator.dual.directions
        if name is None and len(directions) == 1:
            return directions[0]
        if name is None or name not in directions:
            raise Refused(422, f"Missing or unknown direction: use ?direction={' or ?direction='.join(directions)}.")
        return name

    def close(self, seconds: float = CLOSING) -> bool:
        """Ends the decoder at once and the worker after its current request; returns whether it was done in time."""
        self._decoder.close()
        return self._worker.close(seconds)

    def __enter__(self) -> Application:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Guard:
    """Adds headers to all answers, and refuses requests whose Host is not a name of this machine.

    `names`: the accepted hosts; None: all. This prevents DNS rebinding: a browser would treat a foreign page whose name
    points to this machine as same-origin, but sends that name as Host.
    """

    def __init__(self, app: ASGIApp, names: Collection[str] | None) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if b"content-length" in headers and b"transfer-encoding" in headers:
            refusal = "The request has both Content-Length and Transfer-Encoding: send only one of them."
            await _sentence(400, refusal, CLOSES)(scope, receive, with_headers)
        elif self._names is not None and re.sub(r":\d+$", "", host) not in self._names:
            refusal = f"The Host header is not a name of this machine: use {' or '.join(sorted(self._names))}."
            await _sentence(421, refusal)(scope, receive, with_headers)
        else:
            await self._app(scope, receive, with_headers)


async def _body(request: Request, limit: int) -> bytes:
    """The bytes of the body; raises Refused if there are none or more than `limit`, or they do not arrive in time."""
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


def _sentence(status: int, text: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": text}, status, headers)


def _of_http(request: Request, error: HTTPException) -> Response:
    return _sentence(error.status_code, SENTENCES.get(error.status_code, f"{error.detail}."), error.headers)


def _refused(request: Request, error: Refused) -> Response:
    return _sentence(error.status, error.sentence, CLOSES if error.status in (408, 413) else None)


def _full(request: Request, error: Full) -> Response:
    again = {"Retry-After": str(error.seconds)}
    return _sentence(503, f"Too many images are waiting. Try again in {error.seconds} seconds.", again)


def _failed(request: Request, error: Exception) -> Response:
    """The answer to an unexpected error, whose traceback goes to the log, not to the client."""
    if isinstance(error, MemoryError) or type(error).__name__ == EXHAUSTED:
        return _sentence(507, "There is not enough memory for the image. Send a smaller one.", CLOSES)
    return _sentence(500, "The image could not be translated. See the log of the server for the reason.", CLOSES)


def _facts(translator: Translator, service: Service) -> dict[str, Any]:
    return {
        "model": type(translator.dual).__name__,
        "step": translator.step,
        "directions": list(translator.dual.directions),
        "max_mb": service.max_mb,
        "max_pixels": service.max_pixels,
    }


def _page(translator: Translator, service: Service) -> dict[str, tuple[str, str]]:
    """{path: (content, media type)} of the files of the page."""
    facts = {**_facts(translator, service), "name": pathlib.Path(translator.run_dir).name or str(translator.run_dir)}
    parts = {"title": html.escape(facts["name"]), "data": page.block(facts)}
    own = {name: (BROWSER / name).read_text(encoding="utf-8") for name in ("serve.html", "serve.js", "serve.css")}
    shown = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], own["serve.html"])
    script = page.browser("elements.js") + page.browser("slider.js") + own["serve.js"]
    return {
        "/": (shown, "text/html"),
        "/page.js": (script, "text/javascript"),
        "/page.css": (page.browser("page.css") + own["serve.css"], "text/css"),
    }
