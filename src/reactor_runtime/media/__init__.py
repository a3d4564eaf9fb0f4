"""Pixels to packets. `convert` runs in the worker, with NumPy and OpenCV; the rest runs in the edge, without."""
