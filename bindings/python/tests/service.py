"""A data service that asks the sandbox about each token, and a stranger that must never see one."""

from __future__ import annotations

import contextlib
import http.client
import importlib
import json
import os
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from support import RESOURCE_PATH, Sandbox


def needs(*names: str, whole_module: bool = True) -> None:
    """Leave tests out if a library of theirs is missing; where ``CDSE_TEST_FACES=1`` is set they fail."""
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            if os.environ.get("CDSE_TEST_FACES") == "1":
                raise
            reason = f"{name} is not installed; with CDSE_TEST_FACES=1 this fails"
            pytest.skip(reason, allow_module_level=whole_module)


@dataclass(frozen=True)
class Redirect:
    to: str
    status: int = 302


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    path: str
    authorization: str | None
    body: bytes


@dataclass
class Service:
    """``sandbox`` knows the tokens; without it, every request is refused."""

    sandbox: Sandbox | None
    #: What needs a token.
    answers: dict[str, Any] = field(default_factory=lambda: {"/product": b"a product"})
    #: What needs none.
    open: dict[str, Any] = field(default_factory=dict)
    #: Header values that are refused, whatever the sandbox says.
    refused: set[str] = field(default_factory=set)
    #: Whether the service refuses as the openEO API does.
    is_openeo: bool = False
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"service": self}))
        self.server.daemon_threads = True
        # Closing does not wait for idle connections of a client.
        self.server.block_on_close = False
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.host}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def tokens(self, path: str) -> list[str | None]:
        """What the requests to a path had for authorization."""
        return [seen.authorization for seen in self.seen if seen.path == path]

    def accepts(self, authorization: str | None) -> bool:
        if self.sandbox is None or authorization is None or authorization in self.refused:
            return False
        prefix = "Bearer oidc/CDSE/" if self.is_openeo else "Bearer "
        token = authorization.removeprefix(prefix)
        return token != authorization and _is_good(self.sandbox, token)


def _is_good(sandbox: Sandbox, token: str) -> bool:
    # A client of httpx for each would take most of the time of a test.
    connection = http.client.HTTPConnection(sandbox.address.removeprefix("http://"))
    with contextlib.closing(connection):
        connection.request("GET", RESOURCE_PATH, headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status == 200


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: Service

    def answer(self) -> None:
        service = self.service
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("transfer-encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        path = self.path.partition("?")[0]
        authorization = self.headers.get("authorization")
        service.seen.append(Seen(path, authorization, body))
        if path in service.open:
            answer = service.open[path]
        elif not service.accepts(authorization):
            refusal = {"code": "TokenInvalid", "message": "the token is refused"}
            return self.send(403 if service.is_openeo and authorization else 401, json.dumps(refusal).encode())
        elif path in service.answers:
            answer = service.answers[path]
        else:
            return self.send(404, b"{}")
        if isinstance(answer, Redirect):
            return self.send(answer.status, b"", location=answer.to)
        is_bytes = isinstance(answer, bytes)
        self.send(200, answer if is_bytes else json.dumps(answer).encode(), "image/tiff" if is_bytes else None)

    do_GET = do_POST = do_HEAD = answer

    def send(self, status: int, body: bytes, kind: str | None = None, location: str | None = None) -> None:
        self.send_response(status)
        self.send_header("content-type", kind or "application/json")
        self.send_header("content-length", str(len(body)))
        if location is not None:
            self.send_header("location", location)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass
