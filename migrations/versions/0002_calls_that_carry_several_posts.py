"""Let a delivery name the call that it shares with others

Revision: 0002, after 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("batch", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("deliveries", "batch")
