"""The edge: the HTTP application and the process that runs it."""
