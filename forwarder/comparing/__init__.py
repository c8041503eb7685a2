"""Source and destination are read again and compared: for ``audit``, and after a restored backup.

What stands in the destination decides; our own rows only explain what is not there.
"""
