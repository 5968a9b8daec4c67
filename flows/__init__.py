"""The procedures: a flow body reads as the SOP, one line per step."""
