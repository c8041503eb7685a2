"""The first tables

Revision: 0001, after
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_requests",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_kind", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column(
            "payload",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("state", sa.Text(), server_default="asked", nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column(
            "asked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "account_kind in ('bot', 'user')", name=op.f("ck_account_requests_account_kind_known")
        ),
        sa.CheckConstraint(
            "state in ('asked', 'answered', 'refused')", name=op.f("ck_account_requests_state_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_requests")),
    )
    op.create_index(
        "ix_account_requests_open",
        "account_requests",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state = 'asked'"),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("telegram_id", sa.BigInteger(), nullable=False),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("wait_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("kind in ('bot', 'user')", name=op.f("ck_accounts_kind_known")),
        sa.CheckConstraint(
            "state in ('active', 'stopped', 'signed_out', 'deleted')", name=op.f("ck_accounts_state_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("telegram_id", name=op.f("uq_accounts_telegram_id")),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("actor", sa.BigInteger(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column(
            "details",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "folders",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_folders")),
        sa.UniqueConstraint("name", name=op.f("uq_folders_name")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "told",
            postgresql.ARRAY(sa.BigInteger()),
            server_default=sa.text("'{}'::bigint[]"),
            nullable=False,
        ),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind in ('mapping_paused', 'account_stopped', 'quarantined', 'held_unsure')",
            name=op.f("ck_notices_kind_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    op.create_index(
        "ix_notices_done_at",
        "notices",
        ["done_at"],
        unique=False,
        postgresql_where=sa.text("done_at is not null"),
    )
    op.create_index(
        "uq_notices_open",
        "notices",
        ["kind", "subject"],
        unique=True,
        postgresql_where=sa.text("done_at is null"),
    )
    op.create_table(
        "users",
        sa.Column("telegram_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("role", sa.Text(), server_default="operator", nullable=False),
        sa.Column("language", sa.Text(), server_default="en", nullable=False),
        sa.Column("alerts", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("dialog", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("language in ('ru', 'en')", name=op.f("ck_users_language_known")),
        sa.CheckConstraint(
            "role in ('administrator', 'operator', 'viewer')", name=op.f("ck_users_role_known")
        ),
        sa.PrimaryKeyConstraint("telegram_id", name=op.f("pk_users")),
    )
    op.create_table(
        "channels",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("telegram_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("protected", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("forum", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("slow_mode", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("linked_chat_id", sa.BigInteger(), nullable=True),
        sa.Column("migrated_to", sa.BigInteger(), nullable=True),
        sa.Column("is_source", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("is_destination", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("health", sa.Text(), nullable=True),
        sa.Column("listener_id", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "kind in ('channel', 'supergroup', 'group', 'private')", name=op.f("ck_channels_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["listener_id"],
            ["accounts.id"],
            name=op.f("fk_channels_listener_id_accounts"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
        sa.UniqueConstraint("telegram_id", name=op.f("uq_channels_telegram_id")),
    )
    op.create_index(
        "ix_channels_migrated_to",
        "channels",
        ["migrated_to"],
        unique=False,
        postgresql_where=sa.text("migrated_to is not null"),
    )
    op.create_table(
        "flood_waits",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "seen_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_flood_waits_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flood_waits")),
    )
    op.create_index("ix_flood_waits_until", "flood_waits", ["until"], unique=False)
    op.create_table(
        "lists",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("folder_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "settings",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["folder_id"], ["folders.id"], name=op.f("fk_lists_folder_id_folders"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lists")),
        sa.UniqueConstraint("folder_id", "name", name=op.f("uq_lists_folder_id_name")),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_quarantine_account_id_accounts"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
    )
    op.create_table(
        "channel_access",
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("access_hash", sa.BigInteger(), nullable=True),
        sa.Column("may_read", sa.Boolean(), nullable=False),
        sa.Column("may_post", sa.Boolean(), nullable=False),
        sa.Column("may_edit", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("may_delete", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "checked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_channel_access_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channels.id"],
            name=op.f("fk_channel_access_channel_id_channels"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("channel_id", "account_id", name=op.f("pk_channel_access")),
    )
    op.create_table(
        "fingerprints",
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("topic", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channels.id"],
            name=op.f("fk_fingerprints_channel_id_channels"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("channel_id", "topic", "key", name=op.f("pk_fingerprints")),
    )
    op.create_index("ix_fingerprints_delivery_id", "fingerprints", ["delivery_id"], unique=False)
    op.create_index("ix_fingerprints_until", "fingerprints", ["until"], unique=False)
    op.create_table(
        "list_channels",
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.CheckConstraint("side in ('source', 'destination')", name=op.f("ck_list_channels_side_known")),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channels.id"],
            name=op.f("fk_list_channels_channel_id_channels"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["list_id"], ["lists.id"], name=op.f("fk_list_channels_list_id_lists"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("list_id", "channel_id", "side", name=op.f("pk_list_channels")),
    )
    op.create_table(
        "mappings",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("source_topic", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("destination_id", sa.Integer(), nullable=False),
        sa.Column("destination_topic", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), server_default="auto", nullable=False),
        sa.Column("copy_fallback", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("important", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("silent", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("dedup", sa.Text(), server_default="across", nullable=False),
        sa.Column("dedup_hours", sa.Integer(), server_default=sa.text("24"), nullable=False),
        sa.Column("edit_sync", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("delete_sync", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("when_unsure", sa.Text(), server_default="hold", nullable=False),
        sa.Column(
            "rules",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("start_after", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("dedup in ('off', 'across', 'all')", name=op.f("ck_mappings_dedup_known")),
        sa.CheckConstraint("mode in ('forward', 'copy')", name=op.f("ck_mappings_mode_known")),
        sa.CheckConstraint("route in ('auto', 'bot', 'user')", name=op.f("ck_mappings_route_known")),
        sa.CheckConstraint("state in ('active', 'paused', 'disabled')", name=op.f("ck_mappings_state_known")),
        sa.CheckConstraint("when_unsure in ('hold', 'again')", name=op.f("ck_mappings_when_unsure_known")),
        sa.CheckConstraint(
            "source_id <> destination_id or source_topic <> destination_topic",
            name=op.f("ck_mappings_not_onto_itself"),
        ),
        sa.ForeignKeyConstraint(
            ["destination_id"],
            ["channels.id"],
            name=op.f("fk_mappings_destination_id_channels"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["channels.id"], name=op.f("fk_mappings_source_id_channels"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mappings")),
        sa.UniqueConstraint(
            "source_id", "source_topic", "destination_id", "destination_topic", name="uq_mappings_pair"
        ),
    )
    op.create_index("ix_mappings_destination_id", "mappings", ["destination_id"], unique=False)
    op.create_table(
        "marks",
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column(
            "known",
            postgresql.INT8MULTIRANGE(),
            server_default=sa.text("'{}'::int8multirange"),
            nullable=False,
        ),
        sa.Column(
            "checked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_marks_account_id_accounts"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_marks_channel_id_channels"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("channel_id", "account_id", name=op.f("pk_marks")),
    )
    op.create_table(
        "posts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("album_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="collecting", nullable=False),
        sa.Column(
            "last_part_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("state in ('collecting', 'ready')", name=op.f("ck_posts_state_known")),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_posts_channel_id_channels"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
        sa.UniqueConstraint("channel_id", "position", name=op.f("uq_posts_channel_id_position")),
    )
    op.create_index(
        "ix_posts_collecting",
        "posts",
        ["channel_id", "position"],
        unique=False,
        postgresql_where=sa.text("state = 'collecting'"),
    )
    op.create_index(
        "uq_posts_open_album",
        "posts",
        ["channel_id", "album_id"],
        unique=True,
        postgresql_where=sa.text("state = 'collecting' and album_id is not null"),
    )
    op.create_table(
        "copies",
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("mapping_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("source_message_id", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_copies_channel_id_channels"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["mapping_id"], ["mappings.id"], name=op.f("fk_copies_mapping_id_mappings"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("channel_id", "message_id", name=op.f("pk_copies")),
    )
    op.create_index("ix_copies_source", "copies", ["mapping_id", "source_message_id"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("mapping_id", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("class", sa.SmallInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="queued", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reserved", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("epoch", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("route", sa.Text(), nullable=True),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("mode", sa.Text(), nullable=True),
        sa.Column("message_ids", postgresql.ARRAY(sa.BigInteger()), nullable=True),
        sa.Column("random_ids", postgresql.ARRAY(sa.BigInteger()), nullable=True),
        sa.Column("sent_ids", postgresql.ARRAY(sa.BigInteger()), nullable=True),
        sa.Column("seen_id", sa.BigInteger(), nullable=True),
        sa.Column("parts", postgresql.ARRAY(sa.BigInteger()), nullable=True),
        sa.Column("again", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("unsettled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("duplicate_of", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(done_at is not null) = (state in ('duplicate', 'failed', 'filtered', 'sent', 'withdrawn'))",
            name=op.f("ck_deliveries_done_is_final"),
        ),
        sa.CheckConstraint("kind in ('post', 'edit', 'delete')", name=op.f("ck_deliveries_kind_known")),
        sa.CheckConstraint("mode in ('forward', 'copy')", name=op.f("ck_deliveries_mode_known")),
        sa.CheckConstraint("route in ('bot', 'user')", name=op.f("ck_deliveries_route_known")),
        sa.CheckConstraint(
            "state <> 'duplicate' or duplicate_of is not null",
            name=op.f("ck_deliveries_duplicate_of_something"),
        ),
        sa.CheckConstraint(
            "state <> 'sending' or account_id is not null", name=op.f("ck_deliveries_sending_by_someone")
        ),
        sa.CheckConstraint(
            "state in ('queued', 'sending', 'sent') or reason is not null",
            name=op.f("ck_deliveries_explained"),
        ),
        sa.CheckConstraint(
            "state in ('queued', 'sending', 'unsure', 'held', 'sent', 'failed', 'filtered', 'duplicate', 'withdrawn')",
            name=op.f("ck_deliveries_state_known"),
        ),
        sa.CheckConstraint("class between 0 and 2", name=op.f("ck_deliveries_class_known")),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_deliveries_account_id_accounts"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["mapping_id"],
            ["mappings.id"],
            name=op.f("fk_deliveries_mapping_id_mappings"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_deliveries_post_id_posts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "mapping_id", "post_id", "kind", name=op.f("uq_deliveries_mapping_id_post_id_kind")
        ),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_deliveries_done_at",
        "deliveries",
        ["done_at"],
        unique=False,
        postgresql_where=sa.text("done_at is not null"),
    )
    op.create_index(
        "ix_deliveries_duplicate_of",
        "deliveries",
        ["duplicate_of"],
        unique=False,
        postgresql_where=sa.text("state = 'duplicate'"),
    )
    op.create_index(
        "ix_deliveries_open",
        "deliveries",
        ["mapping_id", "class", "position", "id"],
        unique=False,
        postgresql_where=sa.text("done_at is null"),
    )
    op.create_index("ix_deliveries_post_id", "deliveries", ["post_id"], unique=False)
    op.create_table(
        "lanes",
        sa.Column("mapping_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("route in ('bot', 'user')", name=op.f("ck_lanes_route_known")),
        sa.CheckConstraint("(holder is null) = (lease_until is null)", name=op.f("ck_lanes_lease_whole")),
        sa.ForeignKeyConstraint(
            ["mapping_id"], ["mappings.id"], name=op.f("fk_lanes_mapping_id_mappings"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("mapping_id", name=op.f("pk_lanes")),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("heard", sa.Text(), nullable=False),
        sa.Column("album_id", sa.Text(), nullable=True),
        sa.Column("date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edit_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("topic_id", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("reply_to", sa.BigInteger(), nullable=True),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "entities",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("media_id", sa.Text(), nullable=True),
        sa.Column("replaced", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("file_id", sa.Text(), nullable=True),
        sa.Column("origin_chat", sa.BigInteger(), nullable=True),
        sa.Column("origin_message", sa.BigInteger(), nullable=True),
        sa.Column("protected", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "heard_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "earlier",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "heard in ('push', 'poll', 'catch_up', 'bot', 'own')", name=op.f("ck_messages_heard_known")
        ),
        sa.CheckConstraint(
            "kind in ('text', 'photo', 'video', 'animation', 'voice', 'video_note', 'audio', 'document', 'sticker', 'poll', 'location', 'venue', 'contact', 'dice', 'service', 'unknown')",
            name=op.f("ck_messages_kind_known"),
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_messages_channel_id_channels"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_messages_post_id_posts"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("channel_id", "message_id", name=op.f("uq_messages_channel_id_message_id")),
    )
    op.create_index("ix_messages_post_id", "messages", ["post_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_messages_post_id", table_name="messages")
    op.drop_table("messages")
    op.drop_table("lanes")
    op.drop_index("ix_deliveries_post_id", table_name="deliveries")
    op.drop_index("ix_deliveries_open", table_name="deliveries", postgresql_where=sa.text("done_at is null"))
    op.drop_index(
        "ix_deliveries_duplicate_of", table_name="deliveries", postgresql_where=sa.text("state = 'duplicate'")
    )
    op.drop_index(
        "ix_deliveries_done_at", table_name="deliveries", postgresql_where=sa.text("done_at is not null")
    )
    op.drop_table("deliveries")
    op.drop_index("ix_copies_source", table_name="copies")
    op.drop_table("copies")
    op.drop_index(
        "uq_posts_open_album",
        table_name="posts",
        postgresql_where=sa.text("state = 'collecting' and album_id is not null"),
    )
    op.drop_index("ix_posts_collecting", table_name="posts", postgresql_where=sa.text("state = 'collecting'"))
    op.drop_table("posts")
    op.drop_table("marks")
    op.drop_index("ix_mappings_destination_id", table_name="mappings")
    op.drop_table("mappings")
    op.drop_table("list_channels")
    op.drop_index("ix_fingerprints_until", table_name="fingerprints")
    op.drop_index("ix_fingerprints_delivery_id", table_name="fingerprints")
    op.drop_table("fingerprints")
    op.drop_table("channel_access")
    op.drop_table("quarantine")
    op.drop_table("lists")
    op.drop_index("ix_flood_waits_until", table_name="flood_waits")
    op.drop_table("flood_waits")
    op.drop_index(
        "ix_channels_migrated_to",
        table_name="channels",
        postgresql_where=sa.text("migrated_to is not null"),
    )
    op.drop_table("channels")
    op.drop_table("users")
    op.drop_index("uq_notices_open", table_name="notices", postgresql_where=sa.text("done_at is null"))
    op.drop_index("ix_notices_done_at", table_name="notices", postgresql_where=sa.text("done_at is not null"))
    op.drop_table("notices")
    op.drop_table("leases")
    op.drop_table("folders")
    op.drop_table("audit_log")
    op.drop_table("accounts")
    op.drop_index(
        "ix_account_requests_open", table_name="account_requests", postgresql_where=sa.text("state = 'asked'")
    )
    op.drop_table("account_requests")
