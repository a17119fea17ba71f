"""Addresses of recordings that jobs fetch."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = 'c92d41e7f6a3'
down_revision = '71c0be3d95f2'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('jobs', sa.Column('source_url', sqlmodel.sql.sqltypes.AutoString(), nullable=True))


def downgrade() -> None:
    op.drop_column('jobs', 'source_url')
