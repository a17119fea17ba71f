"""The Ingress deployment: the FastAPI app in a replica, built once its handles exist."""

from fastapi import FastAPI
from ray import serve

from deployments.remote import Handle, RemoteQueue
from serve_app.http.app import create_app
from serve_app.models.registry import RosterEntry
from serve_app.settings import Settings
from serve_app.wiring import build_services


@serve.deployment(name="Ingress")
@serve.ingress()
class Ingress:
    """The public API."""

    def __init__(self, executor: Handle, roster: list[RosterEntry]) -> None:
        self._services = build_services(Settings(), RemoteQueue(executor), roster)

    async def __serve_build_asgi_app__(self) -> FastAPI:
        return create_app(self._services, ids_by_server=True)
