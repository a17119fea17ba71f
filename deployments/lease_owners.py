"""Which executors live, as Ray knows it: the jobs of a dead one need not wait for the end of its lease.

A replica is a named actor, and Ray forgets the name when the process dies.
"""

import asyncio
import hashlib
import logging

import ray
from ray import serve
from ray.exceptions import RayError

from serve_app.jobs.lifecycle import LeaseOwners

log = logging.getLogger(__name__)


class Owners:
    """The executors of this application in this cluster. Built inside an executor's replica."""

    def __init__(self) -> None:
        replica_id = serve.get_replica_context().replica_id
        self._own_actor = replica_id.to_full_id_str()
        self._actor_prefix = self._own_actor.removesuffix(replica_id.unique_id)
        # Another cluster with the same database knows nothing of this one's executors, so their names differ.
        cluster = f"{ray.get_runtime_context().gcs_address} {self._actor_prefix}"
        self._prefix = f"executor-{hashlib.sha256(cluster.encode()).hexdigest()[:8]}-"
        self.own = self._prefix + replica_id.unique_id

    async def __call__(self) -> LeaseOwners | None:
        """The executors that live. None when Ray does not answer, or not in the form that is expected."""
        try:
            actors = await asyncio.to_thread(ray.util.list_named_actors, all_namespaces=True)
        except RayError as error:
            log.warning("Ray does not say which executors live; their leases tell: %s", error)
            return None
        names = {str(actor["name"]) for actor in actors}
        if self._own_actor not in names:
            return None
        prefix = self._actor_prefix
        alive = {self._prefix + name.removeprefix(prefix) for name in names if name.startswith(prefix)}
        return LeaseOwners(self._prefix, frozenset(alive))
