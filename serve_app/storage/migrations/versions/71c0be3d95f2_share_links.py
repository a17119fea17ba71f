"""Share links and their views."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '71c0be3d95f2'
down_revision = '2d7e94c1f0a8'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'share_links',
        sa.Column('id', sa.String(length=32), primary_key=True),
        sa.Column('account_id', sa.String(), sa.ForeignKey('accounts.id'), nullable=False),
        sa.Column('job_id', sa.String(length=32), sa.ForeignKey('jobs.id'), nullable=False),
        sa.Column('sections', postgresql.JSONB(), nullable=False),
        sa.Column('hide_name', sa.Boolean(), nullable=False),
        sa.Column('passcode_hash', sa.String(length=200), nullable=True),
        sa.Column('created_by', sa.String(length=254), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('views', sa.Integer(), nullable=False),
    )
    op.create_index('ix_share_links_account_id', 'share_links', ['account_id'])
    op.create_index('ix_share_links_job_id', 'share_links', ['job_id'])
    op.create_table(
        'share_views',
        sa.Column('id', sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column(
            'link_id', sa.String(length=32), sa.ForeignKey('share_links.id', ondelete='CASCADE'), nullable=False
        ),
        sa.Column('address', sa.String(length=64), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    )
    op.create_index('ix_share_views_link_id', 'share_views', ['link_id'])


def downgrade() -> None:
    op.drop_table('share_views')
    op.drop_table('share_links')
