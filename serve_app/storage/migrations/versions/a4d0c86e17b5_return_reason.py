"""return_reason of jobs."""

import sqlalchemy as sa
from alembic import op

revision = 'a4d0c86e17b5'
down_revision = '9e27c5b1d043'
branch_labels = None
depends_on = None

REASONS = """
UPDATE jobs SET return_reason = entry.reason FROM credit_ledger AS entry
WHERE entry.job_id = jobs.id AND entry.kind IN ('release', 'refund')
"""


def upgrade() -> None:
    op.add_column('jobs', sa.Column('return_reason', sa.String(length=200), nullable=True))
    op.execute(REASONS)


def downgrade() -> None:
    op.drop_column('jobs', 'return_reason')
