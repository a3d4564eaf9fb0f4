"""The testing kit: the worker's own driver with a pretended edge, on virtual time. Authors import it from
`reactor_runtime.testing`.
"""
