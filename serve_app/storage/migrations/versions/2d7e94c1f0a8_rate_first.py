"""Accounts whose people rate before they see the model's scores."""

import sqlalchemy as sa
from alembic import op

revision = '2d7e94c1f0a8'
down_revision = '1d103f4fbf0f'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('accounts', sa.Column('rate_first', sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column('accounts', 'rate_first')
