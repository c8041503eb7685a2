"""What to do with posts that are late: after an outage, and where a source is faster than its destination

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KINDS = "'mapping_paused', 'account_stopped', 'quarantined', 'held_unsure'"


def upgrade() -> None:
    op.add_column("mappings", sa.Column("after_outage", sa.Text(), server_default="ask", nullable=False))
    op.add_column("mappings", sa.Column("skip_hours", sa.Integer(), nullable=True))
    op.create_check_constraint(
        op.f("ck_mappings_after_outage_known"), "mappings", "after_outage in ('ask', 'send', 'skip')"
    )
    op.create_check_constraint(op.f("ck_mappings_skip_hours_positive"), "mappings", "skip_hours > 0")
    op.drop_constraint(op.f("ck_notices_kind_known"), "notices")
    op.create_check_constraint(op.f("ck_notices_kind_known"), "notices", f"kind in ({KINDS}, 'outage')")


def downgrade() -> None:
    op.execute("delete from notices where kind = 'outage'")
    op.drop_constraint(op.f("ck_notices_kind_known"), "notices")
    op.create_check_constraint(op.f("ck_notices_kind_known"), "notices", f"kind in ({KINDS})")
    op.drop_constraint(op.f("ck_mappings_skip_hours_positive"), "mappings")
    op.drop_constraint(op.f("ck_mappings_after_outage_known"), "mappings")
    op.drop_column("mappings", "skip_hours")
    op.drop_column("mappings", "after_outage")
