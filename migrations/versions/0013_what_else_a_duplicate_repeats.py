"""A duplicate by its origin of one waiting post and by its content of another names both

Revision: 0013, after 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("also_of", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_deliveries_also_of", "deliveries", ["also_of"], postgresql_where=sa.text("also_of is not null")
    )


def downgrade() -> None:
    op.drop_index("ix_deliveries_also_of", table_name="deliveries")
    op.drop_column("deliveries", "also_of")
