"""The keys of origins lie in the order of their chats and messages, not in that of a hash

Revision: 0012, after 0011
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

HASHED = "sha256(convert_to('origin:' || o.chat || ':' || o.message, 'UTF8'))"
IN_ORDER = "int8send(o.chat) || int8send(o.message)"


def upgrade() -> None:
    written_anew(HASHED, IN_ORDER)


def downgrade() -> None:
    written_anew(IN_ORDER, HASHED)


def written_anew(old: str, new: str) -> None:
    """Give the keys of origins their other form, so that what is remembered now is found after it too.

    Of all stored messages: who has a place may have it from another, whose origin is not its own.
    """
    op.execute(
        f"""
        with o as materialized (
            select distinct coalesce(m.origin_chat, c.telegram_id) as chat,
                   coalesce(m.origin_message, m.message_id) as message
              from messages m join channels c on c.id = m.channel_id)
        update fingerprints f set key = {new} from o where f.key = {old}
        """  # noqa: S608 - what is put in are the two forms above
    )
