"""The bodies of the SOP's steps: what each step does, without Prefect. tasks/ gives them their place in a flow."""
