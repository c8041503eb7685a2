"""Which rule stopped a post, and by which words

Revision: 0008, after 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("details", postgresql.JSONB(), nullable=True))
    op.create_index("ix_list_channels_channel_id", "list_channels", ["channel_id"])


def downgrade() -> None:
    op.drop_index("ix_list_channels_channel_id", table_name="list_channels")
    op.drop_column("deliveries", "details")
