"""Measured algorithms of convolutions.

processors  kinds of processors, by the instructions that they have
table       the measured algorithms that are shipped, in table.json, by processor and number of threads
measuring   measures the algorithms of convolutions on this machine
"""
