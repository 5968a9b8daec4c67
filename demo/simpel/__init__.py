"""SIMPEL – Sistem Informasi Manajemen Kepegawaian: a small real web application to be backed up and restored.

All people in it are invented. It is its own process and uses the standard library and the driver of its database:
nothing of Pulih is in it.
"""
