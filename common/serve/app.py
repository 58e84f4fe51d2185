"""The HTTP application: the page, translations, reports, and errors as sentences in JSON."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from common import report
from common.images.notices import Notices
from common.serve import answers, assets
from common.serve.answers import MEDIA, Answer
from common.serve.decoding import Decoder
from common.serve.guard import CLOSES, Guard, body_of, sentence
from common.serve.refused import NAME, Refused
from common.serve.reports import Reports
from common.serve.served import Served
from common.serve.service import Service
from common.serve.validation import Example
from common.serve.worker import Full, Worker

CLOSING = 5.0  # seconds to wait for the current translation at the end
LOCAL = {"localhost", "127.0.0.1", "[::1]"}  # names of this machine
NOTES = "Translation-Notes"  # header: a JSON array of sentences
STEP = "Translation-Step"  # header: the step of the checkpoint that translated
EXHAUSTED = "ResourceExhaustedError"  # TensorFlow's error if memory is exhausted
SENTENCES = {
    404: "There is nothing at this address: use /, /translate, /report or /healthz.",
    405: "This address does not accept this method: use POST for /translate, and GET for all others.",
}
NO_REPORTS = "This server shows no reports. To see them, start it with --report yes."


class Application:
    """Serves runs within the limits of a Service: servers call `asgi`. Close it, or use it in a with."""

    def __init__(self, runs: Sequence[Served], service: Service) -> None:
        names = report.names([run.path for run in runs])
        self._runs, self._service, self._worker = dict(zip(names, runs)), service, Worker(service.queue)
        self._notices = Notices()
        self._decoder = Decoder(service.max_pixels, service.max_mb * 2**20)
        self._reports = Reports(self._worker.wait)
        self._files = assets.scripts_and_styles()
        routes = [Route(path, self._file, methods=["GET"]) for path in self._files]
        routes += [
            Route("/", self._page, methods=["GET"]),
            Route("/healthz", self._health, methods=["GET"]),
            Route("/translate", self._translate, methods=["POST"]),
            Route("/report", self._report, methods=["GET"]),
            Route("/report/changed", self._changed, methods=["GET"]),
            Route("/examples/{run}/{domain}/{number}", self._example, methods=["GET"]),
            Route("/examples/{run}/{domain}/{number}/look", self._look, methods=["GET"]),
        ]
        handlers: dict[type[Exception], Callable[[Request, Any], Response]] = {
            HTTPException: _of_http,
            Refused: _refused,
            Full: _full,
            Exception: _failed,
        }
        app = Starlette(routes=routes, exception_handlers=handlers)
        app.router.redirect_slashes = False
        own = () if service.is_local else (socket.gethostname().lower(), socket.getfqdn().lower())
        self.asgi = Guard(app, {*LOCAL, service.host.lower(), *own}, is_open=not service.is_local)

    async def _file(self, request: Request) -> Response:
        content, media = self._files[request.url.path]
        return Response(content, media_type=media)

    async def _page(self, request: Request) -> Response:
        runs = [
            {
                **about,
                "summary": run.about.summary,
                "has_report": self._has_report(run),
                "directions": run.about.facts(f"examples/{number}"),
            }
            for number, (about, run) in enumerate(zip(self._about_runs(), self._runs.values()))
        ]
        return Response(assets.page({**self._limits(), "runs": runs}), media_type="text/html")

    async def _health(self, request: Request) -> Response:
        runs = [
            {**about, "directions": list(run.about.directions)}
            for about, run in zip(self._about_runs(), self._runs.values())
        ]
        facts = {"status": "ok", "waiting": self._worker.taken, **self._limits(), "runs": runs}
        return JSONResponse({**facts, **runs[0]} if len(runs) == 1 else facts)

    def _about_runs(self) -> list[dict[str, Any]]:
        return [{"name": name, "model": run.about.model, "step": run.step} for name, run in self._runs.items()]

    def _limits(self) -> dict[str, int]:
        return {"max_mb": self._service.max_mb, "max_pixels": self._service.max_pixels}

    async def _translate(self, request: Request) -> Response:
        run = self._run(request)
        direction = _direction(run, request.query_params.get("direction"))

        def translated() -> tuple[Answer, int]:
            with run.translating() as translator:
                return answers.answer(translator, direction, body, self._decoder), translator.step

        with self._worker.place() as place:
            body = await body_of(request, self._service.max_mb * 2**20)
            answer, step = await place.run(translated)
        self._notices.say_once("A received image", answer.notes)
        headers = {"Content-Disposition": f'inline; filename="{direction}{answer.suffix}"', STEP: str(step)}
        if answer.notes:  # escaped, as texts from files can hold anything
            headers[NOTES] = json.dumps([f"{NAME} {note.text}." for note in answer.notes])
        return Response(answer.content, media_type=answer.media, headers=headers)

    async def _report(self, request: Request) -> Response:
        runs, name = self._reported(request)
        page = await self._reports.page(runs, name)
        policy = {"Content-Security-Policy": f"{page.policy}; frame-ancestors 'none'"}
        return Response(page.html, media_type="text/html", headers=policy)

    async def _changed(self, request: Request) -> Response:
        runs, _ = self._reported(request)
        return JSONResponse({"fingerprint": await self._reports.fingerprint(runs)})

    async def _example(self, request: Request) -> Response:
        example = self._example_of(request)
        return Response(example.content, media_type=MEDIA[example.suffix])

    async def _look(self, request: Request) -> Response:
        return Response(self._example_of(request).look, media_type="image/png")

    def _example_of(self, request: Request) -> Example:
        """The validation image that an address names, which was read at the start."""
        run, domain, number = (request.path_params[name] for name in ("run", "domain", "number"))
        if not all(re.fullmatch("[0-9]{1,9}", place) for place in (run, number)):
            raise HTTPException(404)
        try:
            return list(self._runs.values())[int(run)].about.validation[domain].examples[int(number)]
        except LookupError:
            raise HTTPException(404) from None

    def _run(self, request: Request) -> Served:
        """The run that a request names, or the only one; raises Refused if there is no such run."""
        name = request.query_params.get("run")
        if name is None and len(self._runs) == 1:
            return next(iter(self._runs.values()))
        if name is None or name not in self._runs:
            raise Refused(422, f"Missing or unknown run: use ?run={' or ?run='.join(self._runs)}.")
        return self._runs[name]

    def _reported(self, request: Request) -> tuple[list[str], str | None]:
        """The folders of the runs of a report, and its name if it is of one run; raises Refused if it is not shown."""
        name = request.query_params.get("run")
        runs = list(self._runs.values()) if name is None else [self._run(request)]
        if not all(map(self._has_report, runs)):
            raise Refused(404, NO_REPORTS)
        return [str(run.run_dir) for run in runs], name

    def _has_report(self, run: Served) -> bool:
        return self._service.shows_reports and run.about.has_report

    def close(self, seconds: float = CLOSING) -> bool:
        """Ends the decoder at once and the worker after its current request; returns whether it was done in time."""
        self._decoder.close()
        self._reports.close()
        return self._worker.close(seconds)

    def __enter__(self) -> Application:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _direction(run: Served, name: str | None) -> str:
    """The direction `name`, or the only one if it is None; raises Refused if there is no such direction."""
    directions = run.about.directions
    if name is None and len(directions) == 1:
        return directions[0]
    if name is None or name not in directions:
        raise Refused(422, f"Missing or unknown direction: use ?direction={' or ?direction='.join(directions)}.")
    return name


def _of_http(request: Request, error: HTTPException) -> Response:
    return sentence(error.status_code, SENTENCES.get(error.status_code, f"{error.detail}."), error.headers)


def _refused(request: Request, error: Refused) -> Response:
    return sentence(error.status, error.sentence, CLOSES if error.status in (408, 413) else None)


def _full(request: Request, error: Full) -> Response:
    again = {"Retry-After": str(error.seconds)}
    return sentence(503, f"Too many images are waiting. Try again in {error.seconds} seconds.", again)


def _failed(request: Request, error: Exception) -> Response:
    """The answer to an unexpected error, whose traceback goes to the log, not to the client."""
    if isinstance(error, MemoryError) or type(error).__name__ == EXHAUSTED:
        return sentence(507, "There is not enough memory for the image. Send a smaller one.", CLOSES)
    return sentence(500, "The image could not be translated. See the log of the server for the reason.", CLOSES)
