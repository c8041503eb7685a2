"""Backfills, and the ids that are remembered for ever

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ZERO = sa.text("0")


def upgrade() -> None:
    op.create_table(
        "backfills",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("mapping_id", sa.Integer(), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="running", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("read", sa.BigInteger(), server_default=ZERO, nullable=False),
        sa.Column("passed", sa.BigInteger(), server_default=ZERO, nullable=False),
        sa.Column("queued", sa.BigInteger(), server_default=ZERO, nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_by", sa.BigInteger(), nullable=True),
        sa.Column("chat_id", sa.BigInteger(), nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("told", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state in ('running', 'paused', 'stopped', 'done')", name=op.f("ck_backfills_state_known")
        ),
        sa.CheckConstraint("first_id between 1 and last_id", name=op.f("ck_backfills_range_whole")),
        sa.CheckConstraint(
            "cursor between first_id - 1 and last_id", name=op.f("ck_backfills_cursor_inside")
        ),
        sa.CheckConstraint("state <> 'done' or cursor = last_id", name=op.f("ck_backfills_done_to_the_end")),
        sa.CheckConstraint(
            "(ended_at is not null) = (state in ('done', 'stopped'))",
            name=op.f("ck_backfills_ended_is_final"),
        ),
        sa.CheckConstraint(
            "(chat_id is null) = (message_id is null)", name=op.f("ck_backfills_shown_somewhere")
        ),
        sa.ForeignKeyConstraint(
            ["mapping_id"],
            ["mappings.id"],
            name=op.f("fk_backfills_mapping_id_mappings"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channels.id"],
            name=op.f("fk_backfills_channel_id_channels"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backfills")),
    )
    op.create_index(
        "uq_backfills_open",
        "backfills",
        ["mapping_id"],
        unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_index(
        "ix_backfills_shown",
        "backfills",
        ["id"],
        postgresql_where=sa.text("message_id is not null and not told"),
    )
    op.create_table(
        "handled",
        sa.Column("mapping_id", sa.Integer(), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("ids", postgresql.INT8MULTIRANGE(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mapping_id"], ["mappings.id"], name=op.f("fk_handled_mapping_id_mappings"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_handled_channel_id_channels"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("mapping_id", "channel_id", name=op.f("pk_handled")),
    )
    op.create_index("ix_copies_created_at", "copies", ["created_at"], postgresql_using="brin")


def downgrade() -> None:
    op.drop_index("ix_copies_created_at", table_name="copies")
    op.drop_table("handled")
    op.drop_table("backfills")
