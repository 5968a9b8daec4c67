"""PROSEDUR BACK UP DATA: one module per step, numbered as in the SOP."""
