"""Who acts in an account: one of its members, an API key, or the operator. Services ask an actor for its role."""

from dataclasses import dataclass
from enum import StrEnum

from serve_app.errors import NotPermitted


class Role(StrEnum):
    """What a member may do. Each role may do all that the one before it may."""

    VIEWER = "viewer"
    """Reads interviews."""
    RECRUITER = "recruiter"
    """Also submits, rates, exports, shares and deletes them."""
    OWNER = "owner"
    """Also manages members, keys, webhooks and settings."""

    def covers(self, other: "Role") -> bool:
        """Whether this role may do all that `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who acts in an account. `name` is what others read: an e-mail address or the name of a key."""

    account_id: str
    role: Role
    name: str
    member_id: str | None = None
    key_id: str | None = None

    @classmethod
    def operator(cls, account_id: str) -> "Actor":
        """The operator of this deployment, who works with `recruitscreen-admin`."""
        return cls(account_id, Role.OWNER, "the operator")

    def must_be(self, role: Role) -> None:
        """Raise `NotPermitted` unless the actor has this role or a higher one."""
        if not self.role.covers(role):
            raise NotPermitted(
                f"This needs the role {role}, and yours is {self.role}. Ask an owner of your account to do it, or to "
                "change your role."
            )
