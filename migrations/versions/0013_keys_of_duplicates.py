"""A duplicate keeps the keys by which it is known: it asks for its place by them when its first copy ends unsent

Revision: 0013, after 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("keys", sa.ARRAY(sa.LargeBinary()), nullable=True))


def downgrade() -> None:
    op.drop_column("deliveries", "keys")
