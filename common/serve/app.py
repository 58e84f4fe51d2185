"""What is answered to whom: the page, translations, and errors as sentences in JSON."""

from __future__ import annotations

import html
import pathlib
import re

import anyio
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from common.report import page
from common.serve import answers
from common.serve.worker import Full, Worker

BROWSER = pathlib.Path(__file__).parent / "browser"
SECONDS = 60  # that a body may take to come
DROPPED = 2  # times the limit that is read and dropped, as clients do not see an answer while they send
LOCAL = {"localhost", "127.0.0.1", "[::1]"}  # names by which this machine calls itself
TYPES = ("image/", "application/octet-stream")  # of bodies: pages of others can send none of them without being asked
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
EXHAUSTED = "ResourceExhaustedError"  # what TensorFlow calls a lack of memory
CLOSES = {"Connection": "close"}  # as it does after what it did not read, or did not foresee
SENTENCES = {
    404: "There is nothing at this address: it is /, /translate or /healthz.",
    405: "This address does not take that: images are sent to /translate by POST, all else is read by GET.",
}


class Application:
    """A Translator behind HTTP, as a Service says: `asgi` is what a server calls. Close it, or use it in a with."""

    def __init__(self, translator, how):
        self._translator, self._how, self._worker = translator, how, Worker(how.queue)
        self._files = _page(translator, how)
        routes = [Route(path, self._file, methods=["GET"]) for path in self._files]
        routes += [
            Route("/healthz", self._health, methods=["GET"]),
            Route("/translate", self._translate, methods=["POST"]),
        ]
        known = {HTTPException: _of_http, answers.Refused: _refused, Full: _full}
        app = Starlette(routes=routes, exception_handlers={**known, Exception: _failed})
        app.router.redirect_slashes = False
        self.asgi = _Guard(app, {*LOCAL, how.host.lower()} if how.is_local else None)

    async def _file(self, request):
        content, media = self._files[request.url.path]
        return Response(content, media_type=media)

    async def _health(self, request):
        return JSONResponse({"status": "ok", "waiting": self._worker.taken, **_facts(self._translator, self._how)})

    async def _translate(self, request):
        direction = self._direction(request.query_params.get("direction"))
        _refuse_type(request.headers.get("content-type", ""))
        with self._worker.place() as place:
            body = await _body(request, self._how.max_mb * 2**20)
            found = await place.run(answers.answer, self._translator, direction, body, self._how.max_pixels)
        named = {"Content-Disposition": f'inline; filename="{direction}{found.suffix}"'}
        return Response(found.content, media_type=found.media, headers=named)

    def _direction(self, asked):
        there = self._translator.dual.directions
        if asked is None and len(there) == 1:
            return there[0]
        if asked not in there:
            raise answers.Refused(422, f"Which way? Say ?direction={' or ?direction='.join(there)}.")
        return asked

    def close(self):
        """Ends the worker, after what it has in hand."""
        self._worker.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class _Guard:
    """Headers for all answers; requests that call this machine by a name that is not its own are refused.

    `names`: those that are taken; None: all. A page of someone else, whose name he lets point here, is read by the
    browser as one of ours; the name gives it away.
    """

    def __init__(self, app, names):
        self._app, self._names = app, names

    async def __call__(self, scope, receive, send):
        async def with_headers(message):
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if scope["type"] != "http":
            return
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1").lower()
        if self._names is not None and re.sub(r":\d+$", "", host) not in self._names:
            refusal = f"This machine is called otherwise: use {' or '.join(sorted(self._names))}."
            await _sentence(421, refusal)(scope, receive, with_headers)
        else:
            await self._app(scope, receive, with_headers)


async def _body(request, limit):
    """The bytes that are sent; raises Refused if they are too many, none, or do not come."""
    too_many = answers.Refused(413, f"The image has more than {limit / 2**20:,.0f} MB. Send a smaller one.")
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > DROPPED * limit:
        raise too_many
    found, count = bytearray(), 0
    try:
        with anyio.fail_after(SECONDS):
            async for part in request.stream():
                count += len(part)
                if count <= limit:
                    found += part
                elif count > DROPPED * limit:
                    break
    except TimeoutError:
        raise answers.Refused(408, f"The image did not come within {SECONDS} seconds.") from None
    except ClientDisconnect:
        raise answers.Refused(400, "The image did not come whole.") from None
    if count > limit:
        raise too_many
    if not count:
        raise answers.Refused(400, "There is no image: send the bytes of one as the body.")
    return bytes(found)


def _refuse_type(said):
    if not said.lower().startswith(TYPES):
        raise answers.Refused(
            415, f"Content-Type {said or 'is missing'}: an image is sent as it is, as image/jpeg, image/png and so on."
        )


def _sentence(status, text, headers=None):
    return JSONResponse({"error": text}, status, headers)


def _of_http(request, error):
    return _sentence(error.status_code, SENTENCES.get(error.status_code, f"{error.detail}."), error.headers)


def _refused(request, error):
    return _sentence(error.status, error.sentence, CLOSES if error.status in (408, 413) else None)


def _full(request, error):
    again = {"Retry-After": str(error.seconds)}
    return _sentence(503, f"Too many images are waiting. Come again in {error.seconds} seconds.", again)


def _failed(request, error):
    """Of what nobody foresaw; where it came from is said here, and not to the client."""
    if isinstance(error, MemoryError) or type(error).__name__ == EXHAUSTED:
        return _sentence(507, "There is not enough memory for the image. Send a smaller one.", CLOSES)
    return _sentence(500, "The image could not be translated. What went wrong is in the log of the server.", CLOSES)


def _facts(translator, how):
    return {
        "model": type(translator.dual).__name__,
        "step": translator.step,
        "directions": list(translator.dual.directions),
        "max_mb": how.max_mb,
        "max_pixels": how.max_pixels,
    }


def _page(translator, how):
    """{path: (content, type)} of what the page is made of."""
    facts = {**_facts(translator, how), "name": pathlib.Path(translator.run_dir).name or str(translator.run_dir)}
    parts = {"title": html.escape(facts["name"]), "data": page.block(facts)}
    own = {name: (BROWSER / name).read_text(encoding="utf-8") for name in ("serve.html", "serve.js", "serve.css")}
    shown = re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], own["serve.html"])
    script = page.browser("elements.js") + page.browser("slider.js") + own["serve.js"]
    return {
        "/": (shown, "text/html"),
        "/page.js": (script, "text/javascript"),
        "/page.css": (page.browser("page.css") + own["serve.css"], "text/css"),
    }
