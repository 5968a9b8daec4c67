"""PROSEDUR RESTORE DATA: one module per step, numbered as in the SOP (r6 and r7 both print as 6 and 6 there)."""
