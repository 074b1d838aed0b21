"""What Tower reads of circuits. Their only writer is Aerobat."""
