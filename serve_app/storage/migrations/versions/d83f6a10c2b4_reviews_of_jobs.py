"""Reviews of jobs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = 'd83f6a10c2b4'
down_revision = '5b0c2f7e91ad'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('jobs', sa.Column('reviews', postgresql.JSONB(), server_default='[]', nullable=False))
    op.create_index('ix_jobs_reviewed', 'jobs', ['account_id'], postgresql_where=sa.text("reviews <> '[]'"))


def downgrade() -> None:
    op.drop_index('ix_jobs_reviewed', table_name='jobs')
    op.drop_column('jobs', 'reviews')
