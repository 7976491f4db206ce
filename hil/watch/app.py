"""The page and its streams as a FastAPI application. Imported when it is served: FastAPI is an extra."""

from __future__ import annotations

import asyncio
import json
import math
import secrets
import time
from collections.abc import AsyncIterator, Callable
from importlib.resources import files

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hil.errors import HilError
from hil.provenance import version_text
from hil.watch.place import LOOPBACK, Place
from hil.watch.source import UPDATES, Asked, Source, Stream, Update

__all__ = ["application"]

HEARTBEAT_S = 1.0
"""A page that hears nothing for longer than three of these says that the connection is lost."""
LOOK_S = 1 / 64
"""Until the next look where there was nothing new; twice as long after each further one, up to an update's time: a burst that
comes late is shown when it comes, and a page at rest costs little."""
MOST_PAGES = 16
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def application(source: Source, place: Place, leaving: Callable[[], bool] = lambda: False) -> FastAPI:
    """The page at ``/``, its streams at ``/events``, its files under ``/static``.

    Args:
        source: what is shown.
        place: whose token and address are checked.
        leaving: whether the server is about to end, and streams with it.
    """
    app = FastAPI(title="hil watch", docs_url=None, redoc_url=None, openapi_url=None)
    templates = Environment(loader=PackageLoader("hil.watch"), autoescape=True, undefined=StrictUndefined)
    pages = Pages(leaving)

    app.add_middleware(Guard, place=place)

    @app.get("/")
    async def page() -> Response:
        return HTMLResponse(templates.get_template("watch.html").render(title=source.title, version=version_text()))

    @app.get("/events")
    async def events(receiver: str | None = None, at: int | None = None, rate: float = 5.0, follow: bool = False) -> Response:
        if not (math.isfinite(rate) and 0 <= rate <= 1e4) or (at is not None and at < 0):
            return PlainTextResponse("'rate' must lie in 0 … 10000, and 'at' be at least 0", 422)
        if pages.open >= MOST_PAGES:
            return PlainTextResponse(f"{MOST_PAGES} pages are open already; close one", 503)
        asked = Asked(receiver=receiver or None, at=at, rate=rate, follow=follow)
        return StreamingResponse(pages.told(source, asked), media_type="text/event-stream")

    app.mount("/static", StaticFiles(directory=str(files("hil.watch").joinpath("static"))), name="static")
    return app


class Guard:
    """Turns away whoever may not look, and adds `HEADERS`: as plain ASGI, for streams pass through it piece by piece."""

    def __init__(self, app: ASGIApp, place: Place) -> None:
        self._app, self._place = app, place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        request = Request(scope)
        why = _refusal(self._place, request.headers.get("host", ""), request.url.path, request.query_params.get("token"))
        await (PlainTextResponse(why, 403) if why else self._app)(scope, receive, with_headers)


class Pages:
    """The open pages.

    Args:
        leaving: whether the server is about to end.

    Attributes:
        open: how many there are.
    """

    def __init__(self, leaving: Callable[[], bool]) -> None:
        self.open, self._leaving = 0, leaving

    async def told(self, source: Source, asked: Asked) -> AsyncIterator[str]:
        """What one page is sent, as server-sent events: `about`, then updates, a heartbeat where there is nothing new.

        What fails ends the stream with an event that says why: the page shows it, and asks no more.
        """
        self.open += 1
        stream: Stream | None = None
        try:
            stream = await asyncio.to_thread(source.stream, asked)
            about, said, pause, due = stream.about(), 0.0, LOOK_S, time.monotonic()
            yield _event("about", about)
            while not self._leaving():  # where the page is gone, the response ends this
                update = await asyncio.to_thread(stream.next)
                if (now := stream.about()) != about:
                    about = now
                    yield _event("about", about)
                if update is not None:
                    said, pause = time.monotonic(), LOOK_S
                    yield _event("update", update)
                    due = (
                        due if said < due + 1 / UPDATES else said
                    ) + 1 / UPDATES  # a little late does not put off the next ones
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
                    continue
                if time.monotonic() - said > HEARTBEAT_S:
                    said = time.monotonic()
                    yield "event: beat\ndata: {}\n\n"
                await asyncio.sleep(pause)
                pause = min(2 * pause, 1 / UPDATES)
        except HilError as err:
            yield _event("update", {"state": "failed", "why": str(err)})
        finally:
            self.open -= 1
            if stream is not None:
                stream.close()


def _refusal(place: Place, host: str, path: str, token: str | None) -> str:
    """Why a request is not answered; "" if it is.

    On loopback, names of other hosts are turned away: a page of the web whose name leads here would else read along.
    """
    if place.token is None:
        name = host.rsplit(":", 1)[0].strip("[]") if not host.endswith("]") else host.strip("[]")
        return "" if name in LOOPBACK else f"this page answers to {', '.join(LOOPBACK)} only"
    if path.startswith("/static/"):
        return ""
    right = token is not None and secrets.compare_digest(token.encode(), place.token.encode())
    return "" if right else "the token is missing or wrong: take the address that hil watch printed"


def _event(name: str, data: Update) -> str:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'), allow_nan=False)}\n\n"
