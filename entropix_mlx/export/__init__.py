"""A branch of a trace for people and programs without this one: page, picture, tables, text.

Everything here is made of records alone. What a trace says is shown in full and does nothing.
"""
