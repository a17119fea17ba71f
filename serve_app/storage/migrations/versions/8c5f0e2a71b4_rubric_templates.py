"""Rubrics that accounts keep, with their versions."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = '8c5f0e2a71b4'
down_revision = '9fa45b617ec2'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('rubric_templates',
    sa.Column('id', sqlmodel.sql.sqltypes.AutoString(length=32), nullable=False),
    sa.Column('account_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('name', sqlmodel.sql.sqltypes.AutoString(length=80), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('account_id', 'name', name='one_rubric_per_account_and_name')
    )
    op.create_table('rubric_versions',
    sa.Column('rubric_id', sa.String(length=32), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('competencies', sa.JSON(), nullable=False),
    sa.Column('author', sqlmodel.sql.sqltypes.AutoString(length=254), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['rubric_id'], ['rubric_templates.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('rubric_id', 'number')
    )


def downgrade() -> None:
    op.drop_table('rubric_versions')
    op.drop_table('rubric_templates')
