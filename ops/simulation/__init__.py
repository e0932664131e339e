"""An invented city that uses the library: patrons, titles, and the days of their loans and holds.

`city` has what does not change, `books` carries commands out by the library's own rules,
`days` decides what people do, `acts` are both together in the order of business time. `tables`,
`topics` and `play` take acts: as tables, as messages, and as calls of the API.

Equal seeds give equal events and files. `tests/journeys/test_simulated_city.py` compares the rules
as they are applied here with the services'. Not simulated: study rooms, recordings, moved
activities, enquiries, notices, notifications and visits; patrons who join, change, are blocked or
erased, and linked cards; suspensions that lower fines afterwards, closures that are announced late
or without an end, refunds, claims, losses declared by patrons, and changes of holds. The rates in
`days` are guesses within what libraries publish, not fitted to any of them.
"""
