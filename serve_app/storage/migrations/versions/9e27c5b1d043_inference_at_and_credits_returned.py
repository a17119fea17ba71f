"""inference_at and credits_returned."""

import sqlalchemy as sa
from alembic import op

revision = '9e27c5b1d043'
down_revision = 'c41d7a90be26'
branch_labels = None
depends_on = None

INFERENCE_BEGAN = """
UPDATE jobs SET inference_at = began.at FROM (
  SELECT job_id, min(created_at) AS at FROM job_events WHERE status = 'processing_inference' GROUP BY job_id
) AS began WHERE began.job_id = jobs.id
"""
CREDITS_RETURNED = """
UPDATE jobs SET credits_returned = entry.credits FROM credit_ledger AS entry
WHERE entry.job_id = jobs.id AND entry.kind IN ('release', 'refund')
"""
REASONS = """
UPDATE credit_ledger SET reason = CASE kind
  WHEN 'charge' THEN 'accepted a recording'
  WHEN 'release' THEN 'canceled before work had begun'
  WHEN 'refund' THEN 'failed for good'
  ELSE 'the rest of a grant has expired' END
WHERE reason = '' AND kind <> 'grant'
"""


def upgrade() -> None:
    op.add_column('jobs', sa.Column('inference_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('jobs', sa.Column('credits_returned', sa.Integer(), server_default='0', nullable=False))
    for statement in (INFERENCE_BEGAN, CREDITS_RETURNED, REASONS):
        op.execute(statement)


def downgrade() -> None:
    op.drop_column('jobs', 'credits_returned')
    op.drop_column('jobs', 'inference_at')
