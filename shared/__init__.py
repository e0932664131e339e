"""The chassis: code that every service uses and that belongs to no single service.

Nothing here contains a rule of the library or imports a service.
"""
