"""API tokens: what scripts, CI and the command line present."""
