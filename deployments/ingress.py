"""The Ingress deployment: the FastAPI app in a replica, built once its handles exist."""

from fastapi import FastAPI
from ray import serve

from deployments.handles import Handle, HandleDispatcher
from deployments.http_parser import parse_with_h11
from serve_app.http.app import create_app
from serve_app.model_pool.status import RosterEntry
from serve_app.services import build_services
from serve_app.settings import Settings


@serve.deployment(name="Ingress")
@serve.ingress()
class Ingress:
    """The public API."""

    def __init__(self, executor: Handle, roster: list[RosterEntry]) -> None:
        parse_with_h11()  # behind HAProxy, the replica has the HTTP server
        self._services = build_services(Settings(), HandleDispatcher(executor), roster)

    async def __serve_build_asgi_app__(self) -> FastAPI:
        return create_app(self._services, ids_by_server=True)
