"""Events of reviews."""

from alembic import op

revision = 'b7e21f0c94d8'
down_revision = 'f1c94e72d05b'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint('known_event_kind', 'job_events', type_='check')
    op.create_check_constraint('known_event_kind', 'job_events', "kind IN ('status', 'progress', 'review')")


def downgrade() -> None:
    op.execute("DELETE FROM job_events WHERE kind = 'review'")
    op.drop_constraint('known_event_kind', 'job_events', type_='check')
    op.create_check_constraint('known_event_kind', 'job_events', "kind IN ('status', 'progress')")
