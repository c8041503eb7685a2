"""Between the world's values and Telegram's TL constructors (layer 229): what one viewer sees, and what it
says.

Telethon's generated classes are untyped, so what these modules make and read is ``Any`` to the type checker.
"""
