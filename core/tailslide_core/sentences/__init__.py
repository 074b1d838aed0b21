"""What people read: a flag's state, a transition of its circuit and the numbers in them, as plain English sentences.

The API, alerts, the command line and the dashboard all take their words from here, so that they say the same.
"""
