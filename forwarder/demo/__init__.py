"""The demonstration: the whole program at work against a local Telegram, and a verdict from that Telegram.

``stage`` says which chats and mappings there are, ``script`` which posts are made and when, ``verdict``
judges what the world looks like afterwards; all three are pure. ``house`` starts and stops the processes,
``setup`` presses the control bot's buttons, ``play`` performs the script, ``table`` shows it, ``show`` leads
through it.
"""
