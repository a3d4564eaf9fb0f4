"""The synthetic models of the bench, one of each generation; a workspace that the bench writes subclasses one."""
