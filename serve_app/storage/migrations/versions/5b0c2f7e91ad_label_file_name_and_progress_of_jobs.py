"""Label, file name, language and progress of jobs."""

import sqlalchemy as sa
from alembic import op

revision = '5b0c2f7e91ad'
down_revision = 'eec6dd251e25'
branch_labels = None
depends_on = None

COLUMNS = (
    sa.Column('label', sa.String(length=200), nullable=True),
    sa.Column('file_name', sa.String(length=255), nullable=True),
    sa.Column('language', sa.String(length=16), nullable=True),
    sa.Column('stage', sa.String(length=32), nullable=True),
    sa.Column('percent', sa.Integer(), nullable=True),
    sa.Column('expected_at', sa.DateTime(timezone=True), nullable=True),
)
KNOWN = """
UPDATE jobs SET language = coalesce(result ->> 'language', inputs ->> 'language'),
  percent = CASE WHEN state = 'completed' THEN 100 END
"""


def upgrade() -> None:
    for column in COLUMNS:
        op.add_column('jobs', column)
    op.execute(KNOWN)


def downgrade() -> None:
    for column in COLUMNS:
        op.drop_column('jobs', column.name)
