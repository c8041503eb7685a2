"""A list's rules have a revision of their own, and lists outside folders have names of their own

Revision: 0011, after 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lists", sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False))
    # No command could make lists so far; of those that came otherwise and are called the same the later get a number.
    op.execute(
        """
        do $$
        declare
          later record;
          free text;
        begin
          for later in
            select l.id, l.name from lists l
             where l.folder_id is null and exists (
                   select 1 from lists o
                    where o.folder_id is null and lower(o.name) = lower(l.name) and o.id < l.id)
             order by l.id
          loop
            free := later.name || ' (' || later.id || ')';
            while exists (select 1 from lists where folder_id is null and lower(name) = lower(free)) loop
              free := free || '*';
            end loop;
            update lists set name = free where id = later.id;
          end loop;
        end $$
        """
    )
    op.create_index(
        "uq_lists_name",
        "lists",
        [sa.text("lower(name)")],
        unique=True,
        postgresql_where=sa.text("folder_id is null"),
    )


def downgrade() -> None:
    op.drop_index("uq_lists_name", table_name="lists")
    op.drop_column("lists", "revision")
