"""Let a delivery name the call that it shares with others

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("batch", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("deliveries", "batch")
