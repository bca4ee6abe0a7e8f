"""Detection: pure engines that are fed observations and a clock, and answer with alarms. Standard library only."""
