"""PROSEDUR RESTORE DATA: one task per step (steps r6 and r7 both print as number 6 in the SOP)."""
