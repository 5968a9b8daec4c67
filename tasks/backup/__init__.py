"""PROSEDUR BACK UP DATA: one task per step."""
