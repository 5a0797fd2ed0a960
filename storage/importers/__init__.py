"""Results of other tools, brought into the tables of a store.

One module per kind reads files and knows neither the store nor its tables: it gives runs
(:mod:`.runs`), and hands each of their numbers to a spool (:mod:`.spool`), which sorts them on
disk. :mod:`.names` says which of them have a column; :mod:`.bring` sends them.
"""
