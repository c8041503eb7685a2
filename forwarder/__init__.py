"""The Telegram Message Forwarder: posts from source channels to destination channels."""

__version__ = "0.1.0"
