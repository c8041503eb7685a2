"""What people do with channels and mappings, in the field's words; no room here knows a Telegram library."""
