"""The SOP's steps as Prefect tasks: one task per step of the register, and nothing else."""
