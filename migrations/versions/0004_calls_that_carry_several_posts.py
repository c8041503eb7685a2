"""Let a delivery name the call that it shares with others

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("batch", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("deliveries", "batch")
