"""The log: who changed what, when, from where and why; and what circuits did by themselves."""
