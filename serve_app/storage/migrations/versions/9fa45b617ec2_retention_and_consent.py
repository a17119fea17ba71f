"""How long accounts keep interviews, and what is confirmed about consent."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = '9fa45b617ec2'
down_revision = '025ab02bd708'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('accounts', sa.Column('retention_days', sa.Integer(), nullable=True))
    op.add_column('accounts', sa.Column('consent_text', sqlmodel.sql.sqltypes.AutoString(length=1000), nullable=True))
    op.add_column('jobs', sa.Column('consent_text', sqlmodel.sql.sqltypes.AutoString(length=1000), nullable=True))


def downgrade() -> None:
    op.drop_column('jobs', 'consent_text')
    op.drop_column('accounts', 'consent_text')
    op.drop_column('accounts', 'retention_days')
