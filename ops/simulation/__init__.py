"""An invented city that uses the library: patrons, titles, and the days of their loans and holds.

`city` has what does not change, `books` carries commands out by the library's own rules,
`days` decides what people do, `acts` are both together in the order of business time. `tables`,
`topics` and `play` take acts: as tables, as messages, and as calls of the API.
"""
