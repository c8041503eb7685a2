"""One module per room. A room is a function of the visit and of what was pressed; it shows a screen."""
