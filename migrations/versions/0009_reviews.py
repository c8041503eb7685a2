"""Posts that wait for somebody's word before they go

Revision: 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KINDS = "'mapping_paused', 'account_stopped', 'quarantined', 'held_unsure', 'outage'"


def upgrade() -> None:
    op.create_table(
        "reviews",
        sa.Column("delivery_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "asked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved", sa.Boolean(), nullable=True),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        sa.Column("stamp", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(decided_at is null) = (approved is null)", name=op.f("ck_reviews_decided_one_way")
        ),
        sa.CheckConstraint(
            "(decided_at is null) = (stamp is null)", name=op.f("ck_reviews_decided_about_something")
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["deliveries.id"],
            name=op.f("fk_reviews_delivery_id_deliveries"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_reviews")),
    )
    op.create_index(
        "ix_reviews_open", "reviews", ["delivery_id"], postgresql_where=sa.text("decided_at is null")
    )
    op.drop_constraint(op.f("ck_notices_kind_known"), "notices")
    op.create_check_constraint(op.f("ck_notices_kind_known"), "notices", f"kind in ({KINDS}, 'review')")


def downgrade() -> None:
    op.execute("delete from notices where kind = 'review'")
    op.drop_constraint(op.f("ck_notices_kind_known"), "notices")
    op.create_check_constraint(op.f("ck_notices_kind_known"), "notices", f"kind in ({KINDS})")
    # Without reviews nobody can answer any more: what waits is asked about by the rules that hold then.
    op.execute(
        "update deliveries set state = 'queued', reason = null, not_before = null"
        " where state = 'held' and reason = 'review'"
    )
    op.drop_index("ix_reviews_open", table_name="reviews")
    op.drop_table("reviews")
