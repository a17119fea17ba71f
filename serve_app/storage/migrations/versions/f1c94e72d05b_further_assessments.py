"""Further assessments of a job's transcript."""

import sqlalchemy as sa
from alembic import op

revision = 'f1c94e72d05b'
down_revision = 'd83f6a10c2b4'
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ('original_id', 'based_on_id'):
        op.add_column('jobs', sa.Column(name, sa.String(length=32), nullable=True))
        op.create_foreign_key(f'jobs_{name}_fkey', 'jobs', 'jobs', [name], ['id'])
    op.create_index('ix_jobs_original_id', 'jobs', ['original_id'])


def downgrade() -> None:
    op.drop_index('ix_jobs_original_id', table_name='jobs')
    for name in ('original_id', 'based_on_id'):
        op.drop_constraint(f'jobs_{name}_fkey', 'jobs')
        op.drop_column('jobs', name)
