"""Codes, statuses and pickling of the errors."""

import inspect
import pickle

import pytest

from deployments.replica.events import Failed
from serve_app import errors
from serve_app.errors import InsufficientCredits, JobFailure, RecruitScreenError, VramUnavailable

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, RecruitScreenError)]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_survives_pickling(cls: type[RecruitScreenError]) -> None:
    """Type, message and arguments survive, as they must between replicas."""
    error = cls("what was wrong")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert copy.args == error.args


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_has_a_public_form(cls: type[RecruitScreenError]) -> None:
    """Every error has a lower-case code, an HTTP status and a message."""
    assert cls.code.replace("_", "").islower()
    assert 400 <= cls.status < 600
    assert cls().message


def test_codes_are_not_shared_by_siblings() -> None:
    """Public codes are unique; only internal errors share one."""
    public = [cls for cls in CLASSES if not issubclass(cls, errors.Internal) and cls is not RecruitScreenError]
    codes = [cls.code for cls in public]
    assert sorted(codes) == sorted(set(codes))


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if issubclass(cls, JobFailure)])
def test_a_job_failure_crosses_the_replica_boundary_as_a_value(cls: type[JobFailure]) -> None:
    """The caller raises the class and message that the replica sent."""
    sent = pickle.loads(pickle.dumps(Failed.of(cls("because"))))
    assert type(sent.exception()) is cls
    assert sent.exception().message == "because"


def test_an_unknown_failure_becomes_a_plain_one() -> None:
    """Names outside the job failures become InferenceFailed."""
    assert type(Failed("Unauthorized", "x").exception()) is errors.InferenceFailed
    assert type(Failed("__import__", "x").exception()) is errors.InferenceFailed


def test_an_error_subclass_outside_the_tree_travels_as_its_known_base() -> None:
    """A backend's own subclass arrives as the class of the tree that it extends."""

    class OwnKind(VramUnavailable):
        pass

    assert Failed.of(OwnKind("full")) == Failed("VramUnavailable", "full")


def test_the_price_of_a_refused_job_is_known() -> None:
    """A 402 holds the price."""
    assert InsufficientCredits("", 7).credits_needed == 7
