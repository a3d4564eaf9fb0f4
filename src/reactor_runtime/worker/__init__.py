"""The model's process: it imports the author's class, loads it once, and drives it for session after session."""
