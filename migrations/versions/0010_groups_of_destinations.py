"""Destinations that get the same content once among them

Revision: 0010, after 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dedup_groups",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dedup_groups")),
    )
    op.create_index("uq_dedup_groups_name", "dedup_groups", [sa.text("lower(name)")], unique=True)
    op.add_column("channels", sa.Column("dedup_group", sa.Integer(), nullable=True))
    op.create_foreign_key(
        op.f("fk_channels_dedup_group_dedup_groups"),
        "channels",
        "dedup_groups",
        ["dedup_group"],
        ["id"],
    )
    # A scope is a channel's id, or a group's below zero: no table to refer to. What is left of a channel that is gone
    # goes with its time.
    op.drop_constraint(op.f("fk_fingerprints_channel_id_channels"), "fingerprints")
    op.alter_column("fingerprints", "channel_id", new_column_name="scope")


def downgrade() -> None:
    op.execute("delete from fingerprints where scope not in (select id from channels)")
    op.alter_column("fingerprints", "scope", new_column_name="channel_id")
    op.create_foreign_key(
        op.f("fk_fingerprints_channel_id_channels"),
        "fingerprints",
        "channels",
        ["channel_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.drop_constraint(op.f("fk_channels_dedup_group_dedup_groups"), "channels")
    op.drop_column("channels", "dedup_group")
    op.drop_index("uq_dedup_groups_name", table_name="dedup_groups")
    op.drop_table("dedup_groups")
