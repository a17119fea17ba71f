"""What a role covers."""

import pytest

from serve_app.accounts.actors import Actor, Role
from serve_app.errors import NotPermitted
from serve_app.keys.models import ApiKey


def test_each_role_covers_the_ones_before_it() -> None:
    """A viewer is the least, an owner the most."""
    covered = {role: {other for other in Role if role.covers(other)} for role in Role}
    assert covered == {
        Role.VIEWER: {Role.VIEWER},
        Role.RECRUITER: {Role.VIEWER, Role.RECRUITER},
        Role.OWNER: set(Role),
    }


def test_a_refusal_names_both_roles_and_who_can_help() -> None:
    """The message is shown to the member."""
    with pytest.raises(NotPermitted, match=r"needs the role owner, and yours is viewer\. Ask an owner"):
        Actor("acc_1", Role.VIEWER, "ada@example.com").must_be(Role.OWNER)


@pytest.mark.parametrize(("scope", "role"), [("all", Role.OWNER), ("recruitscreen", Role.RECRUITER)])
def test_a_key_acts_within_its_scope(scope: str, role: Role) -> None:
    """A key for one product works on interviews and never manages the account."""
    actor = ApiKey(account_id="acc_1", name="ci", scope=scope, prefix="lv_sk", sha256="").actor
    assert (actor.account_id, actor.role, actor.name) == ("acc_1", role, "ci")
    assert actor.key_id
    assert actor.member_id is None
