"""The processes of the house: each joins the parts it needs and lives until it is asked to stop."""
