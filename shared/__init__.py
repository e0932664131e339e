"""The chassis: what every service needs and none owns.

Nothing here knows a rule of the library, and nothing here imports a service.
"""
