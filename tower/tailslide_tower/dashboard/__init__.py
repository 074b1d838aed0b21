"""The dashboard as Tower serves it: files that were built before, out of `tower/dashboard/`."""
