"""What changes, told at once to whoever has subscribed to it, over one WebSocket. Described in docs/live.md."""
