"""What a group is and what may stand together: pure values and rules."""
