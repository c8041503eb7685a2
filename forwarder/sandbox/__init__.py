"""A local Telegram: one in-memory world behind two real front doors, MTProto and the Bot API.

A program in its own right: it imports nothing from the rest of the project, and the rest imports nothing from it.
"""
