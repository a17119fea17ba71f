"""device_id and process_starts."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = 'c41d7a90be26'
down_revision = '3b65828e5f43'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column('model_devices', 'place', new_column_name='device_id')
    op.alter_column('model_replicas', 'place', new_column_name='device_id')
    op.alter_column('model_replicas', 'room_wanted_at', new_column_name='memory_requested_at')
    op.execute('ALTER INDEX ix_model_replicas_place RENAME TO ix_model_replicas_device_id')
    op.create_table(
        'process_starts',
        sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column('role', sqlmodel.sql.sqltypes.AutoString(length=32), nullable=False),
        sa.Column('name', sqlmodel.sql.sqltypes.AutoString(length=128), nullable=False),
        sa.Column('seconds', sa.Float(), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.PrimaryKeyConstraint('id'),
    )
    op.create_index('ix_process_starts_name', 'process_starts', ['name'], unique=False)
    # Measurements of the self-test, which no longer exists: they would count as loads of a model of that name.
    op.execute("DELETE FROM model_loads WHERE name = 'serve-cold-start'")


def downgrade() -> None:
    op.drop_index('ix_process_starts_name', table_name='process_starts')
    op.drop_table('process_starts')
    op.execute('ALTER INDEX ix_model_replicas_device_id RENAME TO ix_model_replicas_place')
    op.alter_column('model_replicas', 'memory_requested_at', new_column_name='room_wanted_at')
    op.alter_column('model_replicas', 'device_id', new_column_name='place')
    op.alter_column('model_devices', 'device_id', new_column_name='place')
