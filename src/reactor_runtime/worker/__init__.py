"""The model's process: it imports the author's class, loads it once, and drives it for session after session."""

import os

# OpenCV's idle threads spin for 2 ms after each parallel call, which costs twice the conversion of a 720p frame itself.
# OpenCV reads this as it is loaded, and the author's code may well load it first; how many threads it has is theirs.
os.environ.setdefault("OPENCV_THREAD_POOL_ACTIVE_WAIT_WORKER", "0")
