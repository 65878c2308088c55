"""What a manager needs to see, counted: one module per question. Reads only.

A number is a `Figure`: how many, and the name of the rows behind it. Number and rows come from one queryset, for one
reader; `rows.py` knows every name.
"""
