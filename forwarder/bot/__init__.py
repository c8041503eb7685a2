"""The control bot: rooms that a person walks through by pressing buttons. Knows python-telegram-bot only."""
