"""Default rubrics of accounts."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = '1d103f4fbf0f'
down_revision = '8c5f0e2a71b4'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('accounts', sa.Column('default_rubric_id', sqlmodel.sql.sqltypes.AutoString(length=32), nullable=True))


def downgrade() -> None:
    op.drop_column('accounts', 'default_rubric_id')
