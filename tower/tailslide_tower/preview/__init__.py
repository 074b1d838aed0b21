"""What settings of a circuit would have done on the counts that are kept. Nothing is changed by asking."""
