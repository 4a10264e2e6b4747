"""One run on many machines: orders go to the workers of a dask.distributed scheduler, wheels come back."""
