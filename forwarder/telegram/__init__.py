"""The porch: the only rooms that import Telethon or python-telegram-bot.

What goes in and out are the values of :mod:`forwarder.message` and the errors of
:mod:`forwarder.errors`; the contracts are in :mod:`forwarder.seam`.
"""
