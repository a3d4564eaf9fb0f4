"""Measurements that take more than the package itself: clients that others have published."""
