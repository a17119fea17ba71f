"""Memory admission: which load may begin and which idle replicas are evicted."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from deployments.replica.memory import HostMeter
from serve_app.model_pool.admission import Evict, Holding, Load, MemoryRequest, TooBig, Verdict, Wait, decide

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
PLENTY = 1_000_000


def request(total: int, budget: int = 1000, *, held: int = 0, free: int = PLENTY) -> MemoryRequest:
    return MemoryRequest(total, held, budget, free)


def holding(name: str, held: int, idle_min: int | None = None, *, residual: int = 0, leaving: bool = False) -> Holding:
    """A replica that has been idle for `idle_min` minutes; None is at work."""
    since = None if idle_min is None else NOON - timedelta(minutes=idle_min)
    return Holding(name, held, held - residual, since, leaving)


def evicting(total: int, *others: Holding, budget: int = 1000) -> Verdict:
    return decide(request(total, budget), others, may_evict=True)


def test_an_empty_device_takes_what_fits_its_budget() -> None:
    """A load may use the whole budget."""
    assert evicting(1000) == Load()


def test_what_exceeds_the_budget_is_refused_at_once() -> None:
    """A load above the budget is TooBig."""
    assert evicting(1001) == TooBig()


def test_the_idle_longest_leaves_first() -> None:
    """The least recently used idle replica is evicted, whatever the sizes."""
    others = [holding("busy", 400), holding("recent", 300, 1), holding("old", 300, 9)]
    assert evicting(300, *others) == Evict(("old",))


def test_nobody_leaves_when_there_is_room() -> None:
    assert evicting(300, holding("idle", 700, 5)) == Load()


def test_as_many_leave_as_are_needed() -> None:
    others = [holding("a", 300, 3), holding("b", 300, 2), holding("c", 300, 1)]
    assert evicting(600, *others) == Evict(("a", "b"))


def test_a_small_one_stays_when_the_next_alone_suffices() -> None:
    """An older, smaller replica stays if evicting the next one alone suffices."""
    others = [holding("small", 100, 9), holding("large", 800, 1)]
    assert evicting(700, *others) == Evict(("large",))


def test_busy_models_are_waited_for() -> None:
    assert evicting(500, holding("busy", 800)) == Wait(300)


def test_nobody_is_asked_in_vain() -> None:
    """No replica is evicted if all idle ones together do not free enough."""
    assert evicting(500, holding("busy", 800), holding("idle", 100, 1)) == Wait(400)


def test_those_who_are_leaving_are_not_asked_again() -> None:
    """Memory of evictions under way counts, so no other replica is evicted."""
    others = [holding("leaving", 600, 9, leaving=True), holding("idle", 400, 1)]
    assert evicting(500, *others) == Evict(())


def test_only_what_unloading_frees_counts() -> None:
    """A CUDA context stays after an unload, so two replicas are evicted."""
    others = [holding("a", 500, 9, residual=300), holding("b", 500, 5, residual=300)]
    assert evicting(300, *others) == Evict(("a", "b"))


def test_a_prefetch_evicts_nobody() -> None:
    assert decide(request(500), [holding("idle", 800, 5)], may_evict=False) == Wait(300)


def test_memory_that_others_took_outside_the_ledger_counts() -> None:
    """Free memory limits a load below the budget."""
    assert decide(request(500, free=100), [], may_evict=True) == Wait(400)


def test_what_the_process_holds_already_need_not_be_free() -> None:
    """Memory that the process holds already counts as available to it."""
    assert decide(request(500, held=200, free=300), [], may_evict=True) == Load()


holdings = st.lists(
    st.builds(
        holding,
        st.uuids().map(str),
        st.integers(1, 500),
        st.none() | st.integers(0, 100),
    ),
    max_size=6,
)


@given(st.integers(1, 1000), holdings)
def test_a_decision_is_enough_and_not_too_much(total: int, others: list[Holding]) -> None:
    """Admitted loads fit; evictions suffice, hit idle replicas only, and each of them is necessary."""
    verdict = evicting(total, *others)
    free = 1000 - sum(other.held_mib for other in others)
    idle = {other.replica_id: other.held_mib for other in others if other.idle_since}
    match verdict:
        case Load():
            assert total <= free
        case Evict(victims):
            gains = [idle[victim] for victim in victims]
            assert free + sum(gains) >= total
            assert all(free + sum(gains) - gain < total for gain in gains)
        case Wait():
            assert free + sum(idle.values()) < total
        case _:
            raise AssertionError(verdict)


def test_resident_growth_is_measured() -> None:
    """80 MiB that are written are measured within 10 MiB."""
    meter = HostMeter()
    block = bytearray(b"1") * (80 << 20)
    assert 70 <= meter.held_mib() <= 90
    assert len(block) == 80 << 20


def test_the_host_knows_its_memory() -> None:
    memory = HostMeter().memory()
    assert 0 < memory.free_mib <= memory.total_mib
