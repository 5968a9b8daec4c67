"""SIMPEL – Sistem Informasi Manajemen Kepegawaian: a small real web application to be backed up and restored.

All people in it are invented. It uses the standard library only, as its own process: nothing of Pulih is in it.
"""
